"""Wheels written by hand, so that tests of requirements need neither network nor build tools."""

import base64
import hashlib
import zipfile


def make_wheel(directory, name="tinypack", version="1.0", modules=None, needs=()):
    """Write a wheel; gives its path.

    Args:
        directory: Where it goes.
        name: Name of the package, without dashes.
        version: Its version.
        modules: Texts of its files by path; by default a module that tells its version.
        needs: What it depends on.
    """
    files = dict(modules or {f"{name}.py": f"version = {version!r}\n"})
    info = f"{name}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {one}\n" for one in needs)
    extras = "Provides-Extra: more\n"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extras}{needed}"
    )
    files[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record.append(f"{path},sha256={digest.decode()},{len(text.encode())}")
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    path = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for place, text in files.items():
            wheel.writestr(place, text)
    return path
