"""The configuration table."""

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
