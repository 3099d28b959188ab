"""Errors: which class a server's text makes, and how it reads."""

import pickle
import subprocess
import sys

import pytest
import redis.exceptions

from redgrease import exceptions as ex

TRACEBACK = (
    "['Traceback (most recent call last):\\n', "
    "'  File \"<string>\", line 1, in <module>\\n', "
    "\"NameError: name 'x' is not defined\\n\"]"
)
TAKEN = (
    "['Traceback (most recent call last):\\n', '  File \"<string>\", line 3\\n', "
    "'gears.error: trigger already registered\\n']"
)

TEXTS = [
    (TRACEBACK, ex.ScriptError),
    ("Error type: <class 'NameError'>, Value: name 'x' is not defined", ex.ScriptError),
    ("failed running the given script", ex.ScriptError),
    (TAKEN, ex.DuplicateTriggerError),
    ("-ERR shard-0000: trigger already registered", ex.DuplicateTriggerError),
    ("unknown command 'RG.PYEXECUTE', with args beginning with: ", ex.GearsNotAvailableError),
    ("unknown command `RG.PYEXECUTE`, with args beginning with: ", ex.GearsNotAvailableError),
    ("ERR unknown command 'rg.pystats'", ex.GearsNotAvailableError),
    ("unknown command 'FOO'", ex.ServerError),
    ("execution plan does not exist", ex.ExecutionNotFoundError),
    ("execution does not exist", ex.ExecutionNotFoundError),
    ("execution is still running", ex.ExecutionRunningError),
    (
        "can not drop a not yet finished execution, abort it first.",
        ex.ExecutionRunningError,
    ),
    ("execution is not registered", ex.RegistrationNotFoundError),
    ("execution does not registered", ex.RegistrationNotFoundError),
    ("Execution 00-1 does not exists on shard 00", ex.RegistrationNotFoundError),
    ("subcommand not found", ex.TriggerNotFoundError),
    ("ERR subcommand not found", ex.TriggerNotFoundError),
    (
        "Could not satisfy requirements (look at redis log file for more information)",
        ex.RequirementError,
    ),
    (
        "Failed installing requirements on shard, please check shard logs for more details.",
        ex.RequirementError,
    ),
    ("requirement does not exists", ex.RequirementError),
    ("Session s1 already exists", ex.SessionError),
    ("Session s1 does not exists", ex.SessionError),
    ("session does not exists", ex.SessionError),
    ("Can not replace with s1, session does not exists.", ex.SessionError),
    ("Can not replace an existing session a with b", ex.SessionError),
    ("ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']", ex.SessionError),
    ("Failed serializing session", ex.SessionError),
    ("Extra unkown arguments was given.", ex.ArgumentsError),
    ("Unknown arguments were given: X", ex.ArgumentsError),
    ("Unknown option foo", ex.ArgumentsError),
    ("REPLACE_WITH is missing", ex.ArgumentsError),
    ("ID is missing", ex.ArgumentsError),
    ("wrong number of arguments for 'RG.GETRESULTS' command", ex.ArgumentsError),
    ("unknown subcommand", ex.ArgumentsError),
    ("Wrong subcommand given to RG.PYPROFILE", ex.ArgumentsError),
    ("Can not run gear inside multi exec or lua", ex.BlockingNotAllowedError),
    (
        "Can not run gears inside a multi exec, lua, or when blocking is not allowed",
        ex.BlockingNotAllowedError,
    ),
    (
        "ERR can not run a non-sync execution inside a MULTI/LUA (blocking is not allowed)"
        " or on loading.",
        ex.BlockingNotAllowedError,
    ),
    ("Blocking module command called from transaction", ex.BlockingNotAllowedError),
    ("ERRCLUSTER Uninitialized cluster state", ex.ClusterNotReadyError),
    (
        "no cluster detected - use `RG.GETEXECUTION <id> [SHARD]` instead",
        ex.ClusterNotReadyError,
    ),
    ("(error) Unsupported config parameter: X", ex.UnknownConfigError),
    ("(error) Config value X not modifiable at runtime", ex.ConfigValueError),
    ("(error) X is not configurable at runtime", ex.ConfigValueError),
    ("(error) Failed setting config value X", ex.ConfigValueError),
    ("(error) Value was not given to X", ex.ConfigValueError),
    ("something entirely new", ex.ServerError),
]


@pytest.mark.parametrize("text, kind", TEXTS, ids=[text[:40] for text, _ in TEXTS])
def test_each_text_makes_its_class(text, kind):
    error = ex.classify(redis.exceptions.ResponseError(text))
    assert type(error) is kind
    assert error.text == text
    assert error.args[0] == text
    assert isinstance(error, redis.exceptions.ResponseError)
    assert isinstance(error, ex.RedGreaseError)


def test_texts_and_bytes_can_be_classified_as_well():
    assert type(ex.classify("execution is still running")) is ex.ExecutionRunningError
    assert type(ex.classify(b"execution is still running")) is ex.ExecutionRunningError


def test_errors_with_a_class_of_their_own_stay_as_they_are():
    for error in (
        redis.exceptions.NoPermissionError("subcommand not found"),
        redis.exceptions.ConnectionError("gone"),
        ex.SessionError("x"),
    ):
        assert ex.classify(error) is error


def test_only_the_last_line_of_a_traceback_counts():
    text = "['Traceback:\\n', '  # trigger already registered\\n', 'KeyError: 1\\n']"
    assert type(ex.classify(text)) is ex.ScriptError


def test_a_script_error_is_readable_over_lines():
    error = ex.classify(TRACEBACK)
    assert error.lines == [
        "Traceback (most recent call last):",
        '  File "<string>", line 1, in <module>',
        "NameError: name 'x' is not defined",
    ]
    assert error.traceback == "\n".join(error.lines)
    assert str(error).splitlines()[0] == "NameError: name 'x' is not defined"
    assert str(error).endswith(error.traceback)
    assert error.text == TRACEBACK


def test_a_script_error_without_traceback():
    text = "Error type: <class 'NameError'>, Value: x"
    error = ex.classify(text)
    assert str(error) == text == error.traceback
    assert error.lines == [text]


@pytest.mark.parametrize("text", ["[]", "[1, 2]", "['unclosed", "[" * 500, "plain", ""])
def test_what_is_no_list_of_lines_is_shown_as_it_is(text):
    assert ex.readable(text) == text


def test_the_end_marks_of_old_servers_are_not_shown():
    assert ex.readable("['a\\n', 'b\\n\\x00']\0") == "a\nb"
    assert ex.readable("plain\0") == "plain"


def test_gears_missing_tells_a_way_out():
    error = ex.classify("unknown command 'RG.PYSTATS'")
    assert "redgrease serve" in str(error)
    assert error.text == "unknown command 'RG.PYSTATS'"


def test_several_errors():
    error = ex.classify("first", ["first", "second"])
    assert error.errors == ["first", "second"]
    assert ex.ServerError("alone").errors == ["alone"]


def test_execution_failed_shows_all_errors():
    error = ex.ExecutionFailedError([TRACEBACK, "other"], [1])
    assert str(error).startswith("the execution had 2 errors:\nTraceback")
    assert str(error).endswith("is not defined\nother")
    assert error.value == [1]
    assert str(ex.ExecutionFailedError(["x"])) == "the execution had 1 error:\nx"


def test_representation_names_the_class():
    assert repr(ex.SessionError("x")) == "SessionError('x')"
    assert repr(ex.classify("execution is still running")).startswith("ExecutionRunningError(")


def test_errors_can_be_pickled():
    error = pickle.loads(pickle.dumps(ex.classify(TRACEBACK)))
    assert type(error) is ex.ScriptError
    assert error.text == TRACEBACK


def test_bases():
    assert issubclass(ex.GearsConnectionError, redis.exceptions.ConnectionError)
    assert issubclass(ex.GearsTimeoutError, redis.exceptions.TimeoutError)
    assert issubclass(ex.NotShippableError, TypeError)
    assert issubclass(ex.NotInServerError, RuntimeError)
    assert issubclass(ex.DuplicateTriggerError, ex.ScriptError)


def test_works_without_redis():
    code = (
        "import sys; sys.modules['redis'] = None; sys.modules['redis.exceptions'] = None\n"
        "from redgrease import exceptions as ex\n"
        "error = ex.classify(Exception('execution is still running'))\n"
        "assert type(error) is ex.ExecutionRunningError, error\n"
        "assert isinstance(error, ex.ServerError)\n"
        "try:\n"
        "    raise ex.GearsTimeoutError('x')\n"
        "except ex.RedGreaseError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().strip() == "x"


@pytest.mark.parametrize(
    "text, hint",
    [
        (
            "['Traceback\\n', 'gears.error: trigger already registered\\n']",
            "dumpregistrations(trigger=",
        ),
        ("-ERR shard-1: trigger already registered", "dumpregistrations(trigger="),
        ("execution is still running", "getresultsblocking"),
        ("execution plan does not exist", "dumpexecutions"),
        ("subcommand not found", "dumpregistrations"),
        ("Extra unkown arguments was given.", "gears_version"),
    ],
)
def test_what_may_be_done_is_told_on_the_first_line(text, hint):
    error = ex.classify(text)
    assert hint in str(error).splitlines()[0]
    assert hint in error.hint
    assert error.text == error.args[0] == text


def test_an_unknown_setting_is_a_key_error():
    error = ex.classify("(error) Unsupported config parameter: X")
    assert isinstance(error, KeyError)
    assert str(error) == error.text  # not in quotes, as those of KeyError


def test_a_taken_trigger_is_named_where_it_is_known():
    error = ex.classify("-ERR shard-0: trigger already registered")
    assert error.trigger is None and str(error).startswith(error.text + " (gears.dumpreg")
    error.trigger = "greet"
    assert str(error).startswith(error.text + ": 'greet' (replace=True ")


def test_what_has_advice_already():
    text = "another function is registered; replace=True would replace it"
    assert str(ex.DuplicateTriggerError(text)) == text


def test_other_wrong_words_are_not_about_the_version():
    assert str(ex.classify("unknown subcommand")) == "unknown subcommand"
    text = "Unknown arguments were given: X"
    assert str(ex.classify(text)).startswith(text + " (gears.gears_version()")
