"""``python -m kastrun``: the same as the ``kastrun`` command."""

from kastrun.cli import main

if __name__ == "__main__":
    main()
