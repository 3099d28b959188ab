"""The configuration table."""

import pytest

from redgrease.engine.replies import OK, Error
from redgrease.engine.settings import SAVED_AS_EXTRA, Settings


def test_defaults_have_their_types():
    names = ["MaxExecutions", "ExecutionThreads", "DependenciesUrl", "Plugin"]
    assert Settings().get(names) == [1000, 3, "", []]


def test_names_are_case_sensitive_to_get_but_not_to_set():
    settings = Settings()
    assert settings.set(["maxexecutions", "7"]) == [OK]
    (wrong, right) = settings.get(["maxexecutions", "MaxExecutions"])
    assert wrong == "(error) Unsupported config parameter: maxexecutions"
    assert isinstance(wrong, Error)
    assert right == 7


def test_initial_values_in_any_case():
    settings = Settings({"MAXEXECUTIONS": "3", "mine": 5})
    assert settings["MaxExecutions"] == 3
    assert settings.extra == {"mine": "5"}


def test_what_cannot_be_set():
    answers = Settings().set(
        ["ExecutionThreads", "4", "CreateVenv", "1", "MaxExecutions", "abc", "other"]
    )
    assert answers == [
        "(error) Config value ExecutionThreads not modifiable at runtime",
        "(error) CreateVenv is not configurable at runtime",
        "(error) Failed setting config value MaxExecutions",
        "(error) Value was not given to other",
    ]
    assert all(isinstance(answer, Error) for answer in answers)


def test_keys_of_the_plugin_are_kept_twice():
    settings = Settings()
    assert settings.set(["PythonAttemptTraceback", "0"]) == [SAVED_AS_EXTRA]
    assert settings["PythonAttemptTraceback"] == 0
    assert settings.extra["PythonAttemptTraceback"] == "0"
    assert settings.set(["PythonInstallReqMaxIdleTime", "0"]) == [
        "(error) Failed setting config value PythonInstallReqMaxIdleTime"
    ]


def test_unknown_keys_are_the_users():
    settings = Settings()
    assert settings.set(["mine", "x"]) == [SAVED_AS_EXTRA]
    assert settings.get(["mine"]) == ["x"]


FIXED = "(error) Config value {} not modifiable at runtime"
FIXED_OF_THE_PLUGIN = "(error) {} is not configurable at runtime"


@pytest.mark.parametrize(
    ("name", "default", "answer"),
    [
        ("MaxExecutions", 1000, OK),
        ("MaxExecutionsPerRegistration", 100, OK),
        ("ProfileExecutions", 0, OK),
        ("ExecutionThreads", 3, FIXED),
        ("ExecutionMaxIdleTime", 5000, OK),
        ("SendMsgRetries", 3, OK),
        ("Plugin", [], FIXED),
        ("CreateVenv", 0, FIXED_OF_THE_PLUGIN),
        ("DownloadDeps", 0, FIXED_OF_THE_PLUGIN),
        ("ForeceDownloadDepsOnEnterprise", 0, FIXED_OF_THE_PLUGIN),
        ("DependenciesUrl", "", FIXED_OF_THE_PLUGIN),
        ("DependenciesSha256", "", FIXED_OF_THE_PLUGIN),
        ("PythonInstallationDir", "/var/opt/redislabs/modules/rg", FIXED_OF_THE_PLUGIN),
        ("PythonAttemptTraceback", 1, SAVED_AS_EXTRA),
        ("OverridePythonAllocators", 1, FIXED_OF_THE_PLUGIN),
        ("PythonInstallReqMaxIdleTime", 30000, SAVED_AS_EXTRA),
    ],
)
def test_every_key(name, default, answer):
    settings = Settings()
    assert settings.get([name]) == [default]
    assert settings.set([name.upper(), "7"]) == [answer.format(name.upper())]
    changed = answer in (OK, SAVED_AS_EXTRA)
    assert settings.get([name]) == [7 if changed else default]


@pytest.mark.parametrize("value", ["", "x", "1.5", " 1", "1_0", "0x1", "9" * 30, "١"])
def test_numbers_are_decimal(value):
    settings = Settings()
    (answer,) = settings.set(["MaxExecutions", value])
    assert answer == "(error) Failed setting config value MaxExecutions"
    assert settings.set(["MaxExecutions", "-1"]) == [OK]
    assert settings.set(["SendMsgRetries", "0"]) == [OK]
    for name, number in (
        *(("MaxExecutionsPerRegistration", "0"), ("ExecutionMaxIdleTime", "0")),
        ("SendMsgRetries", "-1"),
    ):
        assert settings.set([name, number]) == [f"(error) Failed setting config value {name}"]
    with pytest.raises(ValueError):
        Settings({"ExecutionThreads": value})
