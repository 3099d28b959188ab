"""The arguments of StreamReader's register."""

import pytest

from redgrease.engine.errors import GearsError
from redgrease.engine.stream_options import stream_options


class TestArguments:
    def test_defaults(self):
        assert stream_options("s*", {"mode": "async"}) == {
            "prefix": "s*",
            "batch": 1,
            "duration": 0,
            "onFailedPolicy": "continue",
            "onFailedRetryInterval": 1,
            "trimStream": True,
        }

    def test_given(self):
        given = {"batch": 7, "duration": 20, "onFailedPolicy": "ReTry", "trimStream": False}
        found = stream_options("ignored", {**given, "onFailedRetryInterval": 3, "regex": "x"})
        assert found == {
            **given,
            "prefix": "x",
            "onFailedPolicy": "retry",
            "onFailedRetryInterval": 3,
        }

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"batch": "3"}, "batch argument must be a number"),
            ({"batch": 1.5}, "batch argument must be a number"),
            ({"batch": 0}, "batch argument must be a positive number"),
            ({"duration": None}, "duration argument must be a number"),
            ({"onFailedPolicy": "bad"}, "onFailedPolicy must be Continue/Abort/Retry"),
            ({"onFailedPolicy": 1}, "onFailedPolicy must be a string (Continue/Abort/Retry)"),
            (
                {"onFailedPolicy": "retry", "mode": "sync"},
                "ExecutionMode sync can only be combined with OnFailedPolicy Continue",
            ),
            ({"onFailedRetryInterval": "x"}, "retryInterval argument must be a number"),
            ({"trimStream": 1}, "pyTrimmStream argument must be a boolean"),
            ({"regex": 1}, "regex argument must be a string"),
        ],
    )
    def test_wrong(self, options, error):
        with pytest.raises(GearsError) as caught:
            stream_options("*", {"mode": "async", **options})
        assert str(caught.value) == error
