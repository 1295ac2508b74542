"""
What must hold of a trial. Facts in, verdict out.

One account, a limit of one, two browsers. The *loser* is signed in. The *winner* gives
the account's credentials after every sign-in of the loser has been answered, so that
who signed in last is beyond doubt. From the moment when the winner has the whole answer
to its sign-in:

- **Finality.** A request that the loser starts later, with any cookie that it was ever
  given, is not authenticated. One that started earlier runs to its end, whatever it
  answers, but the cookies that it brings are among those that are tried.
  Some contenders end the loser only with the winner's next request, and say so: what
  the loser was given after the answer to that is counted beside it.
- **The winner stays.** Every request of the winner's is authenticated, with one
  exception. A request of the loser's that was authenticated before it lost may change
  the account's password while the winner signs in, after the winner's credentials were
  read. Then the winner's are those of before the change, and Django rightly refuses
  them on every later request: *outdated* credentials. It is known by the password that
  the sign-in was made with, which its answer tells, and the one that the account has at
  the end; no time is compared for it. A request that starts after the loss and changes
  the password has been authenticated, which is a violation itself.
- **No errors.** Nobody's answer is a 5xx, but for a 503 with ``Retry-After``; nor a
  400, which is what Django makes of a session deleted under a request; nor absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.truth.results import Errors
from tests.cap.browsers import Answer
from tests.cap.judge import retryable


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, by this process's clock: when it was sent and wholly answered."""

    what: str
    started: float
    ended: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Trial:
    """All that was seen of one."""

    username: str
    loser: Sequence[Asked]
    # The winner's sign-in, as often as it was asked to repeat it; and what it asked
    # from then on.
    sign_ins: Sequence[Asked]
    winner: Sequence[Asked]
    # Tells the password that the account has at the end from its other ones.
    credentials: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial showed. ``under_way`` says how hard it was to get right."""

    # What the loser asked for after it had lost, and was given; and of that, what it
    # asked for after the winner had opened a page, too.
    came_back: tuple[str, ...]
    came_back_later: tuple[str, ...]
    winner_ended: bool
    not_signed_in: bool
    outdated: bool
    errors: Errors
    # The loser's authenticated requests that were being served while the winner's
    # sign-in was.
    under_way: int

    @property
    def both_dead(self) -> bool:
        return self.winner_ended and not self.came_back

    @property
    def violated(self) -> bool:
        ended_wrongly = self.winner_ended or self.not_signed_in
        return bool(self.came_back or ended_wrongly or self.errors.count)


def authenticated(answer: Answer, username: str) -> bool:
    return answer.status == 200 and answer.data.get("user") == username


def errors_in(answers: Iterable[Answer]) -> Errors:
    """Count the answers that nobody should get."""
    answers = list(answers)
    return Errors(
        server_errors=sum(a.status >= 500 and not retryable(a) for a in answers),
        retryable=sum(retryable(a) for a in answers),
        bad_requests=sum(a.status == 400 for a in answers),
        unanswered=sum(a.status == 0 for a in answers),
    )


def _signed_out(answer: Answer, username: str) -> bool:
    """Whether it is not to this user. An error is counted as one, and not as this."""
    is_error = answer.status == 0 or answer.status >= 500
    return not is_error and not authenticated(answer, username)


def judge(trial: Trial) -> Verdict:
    sign_in = trial.sign_ins[-1]
    signed_in = authenticated(sign_in.answer, trial.username)
    outdated = sign_in.answer.data.get("credentials") != trial.credentials
    ended = any(_signed_out(each.answer, trial.username) for each in trial.winner)
    page = trial.winner[0]
    everything = (*trial.loser, *trial.sign_ins, *trial.winner)
    theirs = [
        each for each in trial.loser if authenticated(each.answer, trial.username)
    ]
    late = [each for each in theirs if signed_in and each.started > sign_in.ended]
    return Verdict(
        came_back=tuple(each.what for each in late),
        came_back_later=tuple(each.what for each in late if each.started > page.ended),
        winner_ended=signed_in and ended and not outdated,
        not_signed_in=not signed_in,
        outdated=signed_in and outdated,
        errors=errors_in(each.answer for each in everything),
        under_way=sum(
            each.started < sign_in.ended and each.ended > sign_in.started
            for each in theirs
        ),
    )
