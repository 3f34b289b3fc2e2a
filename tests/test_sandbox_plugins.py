"""The shipped plugins at level `strict`, with the manifests that they have: each does its work in it.

One run against the weak demo site is shared. At level `standard` `test_demo.py` runs them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import zoo_runs

from kastrun import resources
from kastrun.demo import WEAK_FLAWS

pytestmark = [
    pytest.mark.needs("node", "nmap", "whatweb", "wafw00f", "jq", "curl"),
    pytest.mark.namespaces,
]
SILENT = {"cors", "waf"}
"""They find nothing on the demo site: no firewall, and the same answers for any origin."""

NAMES = sorted(manifest.parent.name for manifest in resources.shipped("plugins").glob("*/plugin.toml"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> zoo_runs.Ran:
    home = tmp_path_factory.mktemp("strict")
    site = subprocess.Popen([sys.executable, "-m", "kastrun.demo"], stdout=subprocess.PIPE, text=True)
    with site:
        assert site.stdout
        _, https = site.stdout.readline(), site.stdout.readline().strip()
        try:
            done = zoo_runs.kastrun(home, _profile(home, https), "-o", "out")
        finally:
            site.terminate()
    return zoo_runs.finished(home / "out", done.returncode, done.stdout, done.stderr)


def _profile(home: Path, url: str) -> Path:
    own = dict.fromkeys(NAMES, "") | {"nmap": f'options = {{ ports = "{url.rpartition(":")[2]}" }}'}
    return zoo_runs.write_profile(
        home,
        own,
        targets=[f"{url}/"],
        top='mode = "both"\nfail_on = "none"\nmax_workers = 12',
        tables='[sandbox]\nlevel = "strict"\n',
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_plugin_does_its_work_in_the_sandbox(ran: zoo_runs.Ran, name: str) -> None:
    results = ran.of("result", name)
    assert {result["sandbox"]["level"] for result in results} == {"namespaces"}
    assert [result["status"] for result in results] == ["ok"], json.dumps(results, indent=1)
    assert "refused" not in {line["verdict"] for line in ran.of("egress", name)}
    assert {line["destination"] for line in ran.of("egress", name)} == {"127.0.0.1"}
    # And what it is for it told: an asset of what is there, or what was planted on the front page.
    planted = {flaw.rule for flaw in WEAK_FLAWS if flaw.plugin == name and flaw.path == "/"}
    found = {finding["rule"] for finding in ran.of("finding", name)}
    assert planted & found if planted else ran.of("asset", name) or name in SILENT
