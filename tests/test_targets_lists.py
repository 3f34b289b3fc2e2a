"""A file of targets: comments, odd line ends, bad lines in their place, streamed."""

from itertools import islice, repeat

from kastrun.model import Problem, TargetEntry
from kastrun.targets import masked, read_lines


def values(lines):
    return [entry.target.value for entry in read_lines(lines, "hosts.txt")]


def test_comments_blank_lines_and_line_ends_are_taken_off():
    lines = [
        "\ufeffa.example\r\n",
        "\n",
        "# b.example\n",
        "  c.example\t# shop\n",
        "   # indented\n",
        "https://d.example/x#top\n",
        "https://e.example/#top # the shop\n",
        "f.example",
    ]
    assert values(lines) == [
        "a.example",
        "c.example",
        "https://d.example/x",
        "https://e.example/",
        "f.example",
    ]


def test_an_entry_says_where_it_was():
    (entry,) = read_lines(["\n", "a.example\n"], "lists/hosts.txt")
    assert isinstance(entry, TargetEntry)
    assert entry.where == "lists/hosts.txt:2"


def test_a_bad_line_is_a_problem_in_its_place_among_the_others():
    first, problem, last = read_lines(["a.example\n", "\t127.1  # router\r\n", "b.example\n"], "hosts.txt")
    assert isinstance(first, TargetEntry) and isinstance(last, TargetEntry)
    assert problem == Problem(
        message="`127.1` is not an IPv4 address",
        rule="bad_target",
        file="hosts.txt",
        line=2,
        column=2,
        width=5,
        text="\t127.1  # router",
        hint="write four numbers from 0 to 255, without leading zeros, as in 203.0.113.7",
    )


def test_columns_of_the_first_line_do_not_count_the_byte_order_mark():
    (problem,) = read_lines(["\ufeff-x\n"], "hosts.txt")
    assert (problem.column, problem.text) == (1, "-x")


def test_a_byte_order_mark_elsewhere_is_refused():
    _, problem = read_lines(["a.example\n", "\ufeffb.example\n"], "hosts.txt")
    assert isinstance(problem, Problem)
    assert problem.line == 2


def test_the_line_shown_has_no_password_and_the_same_columns():
    line = "https://bob:hunter2@a.example/  # https://eve:s3cret@b"
    (problem,) = read_lines([line], "hosts.txt")
    assert "hunter2" not in problem.text and "s3cret" not in problem.text and "bob" not in problem.text
    assert len(problem.text) == len(line)
    assert problem.text[: problem.width] == "https://***********@a.example/"


def test_masked_leaves_other_lines_alone():
    for line in ("https://a.example/@user", "@dump/app.apk", "a.example # x"):
        assert masked(line) == line


def test_an_endless_list_is_streamed():
    assert len(list(islice(read_lines(repeat("a.example\n"), "-"), 1000))) == 1000
