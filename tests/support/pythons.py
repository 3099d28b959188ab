"""Other versions of Python on this machine."""

import glob
import os
import shutil
import subprocess
import sys

__all__ = ["interpreter"]


def interpreter(version):
    """Find a Python of a version, such as ``"3.10"``: this one, pyenv's, or one on the PATH.

    Returns:
        Its path, or None if there is none that starts.
    """
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    made = sorted(glob.glob(f"{root}/versions/{version}.*/bin/python"))
    for path in [*made, shutil.which(f"python{version}")]:
        if path and not subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL):
            return path
    return None
