"""Program that fetches the page of a dashboard and stops it: dashboard_page.py RUN_DIR."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request


def main() -> None:
    """Print status and size of the page and of its list of studies."""
    command = ["dfsearch", "dashboard", sys.argv[1], "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        address = re.search(r"http://\S+/", line)
        assert address, f"no address in {line!r}"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for path in ("", "api/studies"):
            with direct.open(address[0] + path, timeout=60) as answer:
                print(f"{path or 'page'}: {answer.status}, {len(answer.read())} bytes")
    finally:
        process.send_signal(signal.SIGINT)
    sys.exit(process.wait(timeout=60))


if __name__ == "__main__":
    main()
