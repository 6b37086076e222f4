"""Print the folder to give to ``--user-dir``, so that fairseq commands work from anywhere."""

from pathlib import Path

if __name__ == "__main__":
    print(Path(__file__).resolve().parent)
