import subprocess
import sys

from tests.documentation.pages import ROOT


def test_the_page_about_libraries_agrees_with_the_data_files():
    command = [sys.executable, "scripts/compat", "--page"]
    printed = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    page = (ROOT / "docs" / "reference" / "compatibility.md").read_text()
    table = page[page.index("| library |") : page.index("## What differs")]
    listed = page[page.index("- **") :]
    assert f"{table}{listed}" == printed
