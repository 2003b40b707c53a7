# SPDX-License-Identifier: Apache-2.0
"""The systemd units as systemd sees them: no unknown keys, and no more exposed than they were.

Usage: units.py UNIT...     (files, for example build/conf/turnout-vswitchd.service)

Exit status 77 (skipped) without systemd-analyze.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

# systemd-analyze security, 0 to 10. Of Debian 12's systemd; others may count more things.
EXPOSURE = {"turnout-datapathd.service": 2.0, "turnout-vswitchd.service": 0.3}


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def check(path, folder):
    """Errors of one unit."""
    name = os.path.basename(path)
    copy = os.path.join(folder, name)
    with open(path, encoding="utf-8") as source, open(copy, "w", encoding="utf-8") as target:
        # The programs need not be installed.
        target.write(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", source.read(), flags=re.M))
    status, text = analyze("verify", "--man=no", copy)
    errors = [f"{name}: {line}" for line in text.splitlines() if name in line]
    if status and not errors:
        errors.append(f"{name}: systemd-analyze verify: {text}")
    _, text = analyze("security", "--offline=true", "--no-pager", copy)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
    if not found:
        errors.append(f"{name}: systemd-analyze security says no exposure level: {text}")
    elif float(found.group(1)) > EXPOSURE[name]:
        worse = "\n".join(line for line in text.splitlines() if line.startswith("✗"))
        errors.append(f"{name}: exposure level {found.group(1)}, not more than {EXPOSURE[name]} "
                      f"is wanted:\n{worse}")
    else:
        print(f"{name}: exposure level {found.group(1)}")
    return errors


def main():
    if not shutil.which("systemd-analyze"):
        print("skipped: systemd-analyze is not installed (./check installs it)")
        return 77
    with tempfile.TemporaryDirectory(prefix="turnout-units-") as folder:
        errors = [error for path in sys.argv[1:] for error in check(path, folder)]
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
