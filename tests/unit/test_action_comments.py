"""The one comment of a gate: found, created, brought up to date, whatever the server does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_action.api import Api, ApiError
from gate_action.comments import LIMIT, Comment, Thread, fitted
from gate_action.judge import published
from runstore.canonical import JsonValue
from tests.github_server import BOT, Failure, Server, serving

NAME = "octo/evals"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def thread(server: Server, *, timeout_s: float = 5, budget_s: float = 10) -> Thread:
    api = Api(root=server.url, token="t0ken", timeout_s=timeout_s, budget_s=budget_s)
    return Thread(api=api, repository=NAME, number=5, author=BOT)


def comment(text: str = "## PASS", run: tuple[int, int] = (7, 1), baseline: str = "baselines/qa") -> Comment:
    return Comment(workflow="gate", baseline=baseline, run=run, text=text)


def texts(server: Server) -> list[str]:
    return [body.rpartition("-->\n")[2] for body in server.bodies()]


def test_it_is_created_once_and_then_brought_up_to_date(server: Server) -> None:
    assert thread(server).publish(comment("one")) == "commented"
    assert thread(server).publish(comment("two", run=(8, 1))) == "the comment is up to date"
    assert thread(server).publish(comment("two", run=(8, 1))) == "the comment is up to date"
    assert texts(server) == ["two"]
    assert (server.asked("POST"), server.asked("PATCH")) == (1, 1)


def test_it_is_found_on_the_last_of_many_pages(server: Server) -> None:
    server.page_size = 10
    for number in range(35):
        server.write(f"remark {number}")
    thread(server).publish(comment("one"))
    for number in range(35):
        server.write(f"remark {number}")
    thread(server).publish(comment("two"))
    assert texts(server) == ["two"]


def test_the_marker_in_the_comment_of_another_is_neither_edited_nor_believed(server: Server) -> None:
    forged = comment("forged", run=(999, 1)).body
    server.write(forged, "mallory")
    server.write(forged, "github-actions")
    server.write(f"quoted:\n{forged}", BOT)
    assert thread(server).publish(comment("one")) == "commented"
    assert [one["body"] for one in server.comments[:3]] == [forged, forged, f"quoted:\n{forged}"]
    assert texts(server)[-1] == "one"


def test_another_baseline_or_workflow_has_a_comment_of_its_own(server: Server) -> None:
    thread(server).publish(comment("one"))
    thread(server).publish(comment("two", baseline="baselines/other"))
    thread(server).publish(Comment(workflow="nightly", baseline="baselines/qa", run=(7, 1), text="three"))
    assert texts(server) == ["one", "two", "three"]


def test_an_older_run_does_not_overwrite_a_newer_one(server: Server) -> None:
    thread(server).publish(comment("new", run=(8, 1)))
    assert thread(server).publish(comment("old", run=(7, 2))) == "a newer run has commented"
    assert texts(server) == ["new"]
    thread(server).publish(comment("again", run=(8, 2)))
    assert texts(server) == ["again"]


@pytest.mark.parametrize(("mine", "theirs", "kept"), [(7, 8, "theirs"), (8, 7, "mine")])
def test_two_jobs_at_once_leave_one_comment_which_is_the_newer_run_s(
    server: Server, mine: int, theirs: int, kept: str
) -> None:
    server.on_create.append(lambda: server.write(comment("theirs", run=(theirs, 1)).body, BOT))
    thread(server).publish(comment("mine", run=(mine, 1)))
    assert texts(server) == [kept]
    thread(server).publish(comment("theirs", run=(theirs, 1)))
    assert texts(server) == [kept]


def test_without_anything_to_tell_an_old_comment_is_updated_and_no_new_one_made(server: Server) -> None:
    assert thread(server).publish(comment("one"), create=False) == "nothing has changed: no comment"
    server.write(comment("red").body, BOT)
    thread(server).publish(comment("green"), create=False)
    assert texts(server) == ["green"]


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_refusal_is_told_once_and_not_asked_again(
    server: Server, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    server.failures.append(Failure(status, "POST"))
    assert published(thread(server), comment()) == "failed"
    told = capsys.readouterr().out
    assert told.startswith("::notice" if status in (401, 403) else "::warning")
    assert told.count("\n") == 1
    assert (server.asked("POST"), server.comments) == (1, [])


@pytest.mark.parametrize(
    "failure", [Failure(429, headers={"Retry-After": "0"}), Failure(403, headers={"Retry-After": "0"})]
)
def test_a_server_that_asks_to_wait_is_asked_again(server: Server, failure: Failure) -> None:
    server.failures.extend(
        [Failure(failure.status, "GET", failure.headers), Failure(failure.status, "POST", failure.headers)]
    )
    assert thread(server).publish(comment("one")) == "commented"
    assert texts(server) == ["one"]


def test_a_server_that_asks_to_wait_too_long_is_left(server: Server) -> None:
    server.failures.append(Failure(429, headers={"Retry-After": "3600"}))
    with pytest.raises(ApiError, match="in all"):
        thread(server, budget_s=0.3).publish(comment())


def test_a_failure_of_the_server_behind_the_deed_makes_no_second_comment(server: Server) -> None:
    server.failures.append(Failure(502, "POST", does_it_all_the_same=True))
    assert thread(server).publish(comment("one")) == "commented"
    assert texts(server) == ["one"]
    server.comments.clear()
    server.failures.append(Failure(502, "POST"))
    with pytest.raises(ApiError):
        thread(server).publish(comment("one"))
    assert server.comments == []


def test_a_server_that_hangs_is_left(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.failures.extend(Failure(0, hangs_s=1) for _ in range(3))
    assert published(thread(server, timeout_s=0.1, budget_s=0.5), comment()) == "failed"
    assert "no comment: the server" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ApiError, match="does not answer"):
        Api(root="http://127.0.0.1:9", token="", budget_s=0.5).call("POST", "/x")


def test_the_token_does_not_go_where_the_server_sends_us(server: Server) -> None:
    server.files["/zip"] = b"data"
    assert Api(root=server.url, token="t0ken").download("/zip", 10) == b"data"
    assert [(path, token) for _, path, token in server.requests] == [("/zip", "Bearer t0ken"), ("/files/zip", "")]
    with pytest.raises(ApiError, match="larger than 3 bytes"):
        Api(root=server.url, token="").download("/zip", 3)
    server.redirects["/zip"] = "file:///etc/passwd"
    with pytest.raises(ApiError, match="not https"):
        Api(root=server.url, token="").download("/zip", 10)


def test_a_comment_is_never_longer_than_it_may_be_and_is_cut_between_sections() -> None:
    sections = ["\n<details><summary>more</summary>\n" + "x" * 900 + "\n</details>\n" for _ in range(100)]
    found = comment("## FAIL\n" + "".join(sections)).body
    assert len(found) <= LIMIT
    assert found.count("<details>") == found.count("</details>") > 60
    assert "Left out for want of room" in found
    assert fitted("short", 10) == "short"


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_key_is_one_line_that_nothing_in_a_name_can_end(workflow: str, baseline: str) -> None:
    made = Comment(workflow=workflow, baseline=baseline, run=(1, 1), text="")
    assert made.key.startswith("<!-- runstore-gate: ")
    assert made.key.isascii()
    assert made.key.isprintable()
    assert made.key.index("-->") == len(made.key) - 3
    assert made.key.removeprefix("<!--").count("--") == 1


@given(st.tuples(st.text(max_size=9), st.text(max_size=9)), st.tuples(st.text(max_size=9), st.text(max_size=9)))
def test_two_gates_have_two_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [
        Comment(workflow=workflow, baseline=baseline, run=(1, 1), text="").key for workflow, baseline in (one, other)
    ]
    assert (keys[0] == keys[1]) is (one == other)


def test_an_answer_of_another_shape_is_an_error_and_no_crash(server: Server) -> None:
    answers: list[JsonValue] = [{"comments": 1}, {"x": {}}, [1, "x", {"user": 3}]]
    for answer in answers:
        server.answers["/odd"] = answer
        api = Api(root=server.url, token="")
        if isinstance(answer, list):
            assert len(list(api.pages("/odd"))) == 3
        else:
            with pytest.raises(ApiError, match="no list"):
                list(api.pages("/odd"))
