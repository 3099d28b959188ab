"""``redgrease run``, ``trigger`` and ``results``."""

import json

import pytest

ECHO = 'GB("CommandReader").map(lambda words: words[1:]).register(trigger="echo")'
ERROR = "def bad(record):\n    raise KeyError('x')\n\nGB('ShardsIDReader').map(bad).run()\n"


def test_code_and_its_table(cli, r):
    r.set("k1", "v1")
    r.set("k2", "v2")
    lines = cli("run", "GB().run('k*')").stdout.splitlines()
    assert [line.split() for line in sorted(lines)] == [
        ["k1", "string", "v1"],
        ["k2", "string", "v2"],
        ["key", "type", "value"],
    ]
    lines = cli("run", "GB().count().run()").stdout.splitlines()
    assert [line.split() for line in lines] == [["#", "record"], ["0", "2"]]
    assert cli("run", "GB().run('nosuch*')").stderr == "no results\n"
    assert cli("run", "x = 1").stderr == "done\n"


def test_json(cli, r):
    r.set("k1", "v1")
    expected = {"event": None, "key": "k1", "type": "string", "value": "v1"}
    assert cli.json("run", "GB().run('k*')") == {"results": [expected], "errors": []}


def test_files_and_standard_input(cli, tmp_path):
    (tmp_path / "script.py").write_text("GB('ShardsIDReader').count().run()")
    assert (
        cli.json("run", "script.py")["results"]
        == cli.json("run", "-", text="GB('ShardsIDReader').count().run()")["results"]
    )
    told = cli("run", "nosuch.py", status=2).stderr
    assert "there is no file nosuch.py" in told
    assert "`redgrease load`" in cli("run", ".", status=2).stderr


def test_files_of_other_encodings(cli, tmp_path):
    (tmp_path / "marked.py").write_text("GB('ShardsIDReader').count().run()", "utf-8-sig")
    (tmp_path / "old.py").write_text("x = 1\ny = 'caf\xe9'", "latin-1")
    assert cli.json("run", "marked.py")["results"] == ["1"]
    assert "1 loaded" in cli("load", "marked.py").stderr
    for words in (("run", "old.py"), ("load", "old.py"), ("run", "-")):
        told = cli(*words, text=(tmp_path / "old.py").read_bytes(), status=1).stderr
        assert "is not in UTF-8: byte 14, in line 2" in told


@pytest.mark.parametrize("way", ["file", "code", "stdin"])
def test_errors_have_the_scripts_name_and_lines(cli, tmp_path, way):
    (tmp_path / "bad.py").write_text(ERROR)
    word, name = {
        "file": ("bad.py", "bad.py"),
        "code": (ERROR, "<code>"),
        "stdin": ("-", "<stdin>"),
    }[way]
    result = cli("run", word, text=ERROR, status=1)
    assert f'File "{name}", line 2, in bad\n    raise KeyError' in result.stderr
    found = cli.json("run", word, text=ERROR, status=1)
    assert found["results"] == [] and f'"{name}", line 2' in found["errors"][0]
    told = cli("run", "x = 1\ny = nosuch", status=1).stderr
    assert 'File "<code>", line 2' in told and "NameError" in told


def test_unblocking_and_waiting(cli):
    code = "GB('ShardsIDReader').map(lambda x: __import__('time').sleep(0.05)).count().run()"
    id = cli("run", "--unblocking", code).stdout.strip()
    assert cli.json("results", id, "--wait")["results"] == ["1"]
    assert cli.json("results", id.rpartition("-")[2])["results"] == ["1"]
    assert cli.json("run", "--wait", code)["results"] == ["1"]
    assert [row["executionId"] for row in cli.json("executions")] == [id]
    told = cli("results", "999", status=1).stderr
    assert "does not exist" in told


def test_requirements_and_sessions(cli):
    words = ("--id", "mine", "--description", "what it is", "--upgrade", "-r", "attrs")
    for _ in range(2):
        cli("run", *words, ECHO)
    (session,) = cli.json("sessions")
    assert (session["ID"], session["sessionDescription"]) == ("mine", "what it is")
    assert "attrs" in {row["Name"] for row in cli.json("reqs")}
    cli("run", "--id", "mine", ECHO, status=1)


def test_triggers(cli):
    cli("run", ECHO)
    assert cli.json("trigger", "echo", "a", "b")["results"] == [["a", "b"]]
    assert cli.json("trigger", "--key", "k", "echo", "a")["results"] == [["k", "a"]]
    told = cli("trigger", "nosuch", status=1).stderr
    assert told == "redgrease: nothing is registered for the trigger 'nosuch'\n"
    assert "xff" in cli("trigger", "echo", "\udcff").stdout
    cli("run", "GB('CommandReader').map(lambda words: 1 / 0).register(trigger='bad')")
    assert "ZeroDivisionError" in cli("trigger", "bad", status=1).stderr
    failed = cli("trigger", "bad", "--json", status=1)
    assert failed.stderr == "" and "ZeroDivisionError" in json.loads(failed.stdout)["errors"][0]


def test_what_is_no_text(cli, tmp_path):
    (tmp_path / "marked.py").write_bytes("execute('SET', 'k', 'ä')".encode("utf-8-sig"))
    cli("run", "marked.py")
    assert "loaded" in cli("load", "marked.py").stderr
    (tmp_path / "none.py").write_bytes(b"\xff")
    assert "none.py is not in UTF-8: byte 0, in line 1" in cli("run", "none.py", status=1).stderr
    assert "<stdin> is not in UTF-8" in cli("run", "-", status=1, text=b"\xff").stderr


@pytest.mark.parametrize("code", ["1 / 0", "GB('ShardsIDReader').map(lambda x: 1 / 0).run()"])
def test_errors_as_json(cli, code):
    result = cli("run", code, "--json", status=1)
    assert result.stderr == ""
    shown = json.loads(result.stdout)
    assert shown["results"] == [] and "ZeroDivisionError" in shown["errors"][0]
