"""The library needs PyTorch alone."""

import subprocess
import sys


def test_rims_nlp_imports_no_fairseq():
    code = "import sys, rims_nlp; print(sorted(m for m in sys.modules if m.split('.')[0] in ('fairseq', 'data_prep')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
