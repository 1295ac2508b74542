"""
Decide whether a trial violated a guarantee.

A trial has one account, a limit of one, and two browsers. The *loser* is signed in. The
*winner* signs in after every sign-in of the loser has been answered, so it is certain
that the winner was last. These rules hold from the moment at which the winner has
received the whole answer to its sign-in:

- **Finality.** A request that the loser starts later is not authenticated, with any
  cookie that a server ever set for it. A request that started earlier may still
  succeed, but the cookies that it sets are tried as well.
  Some contenders end the loser only at the winner's next request, and say so.
  Therefore the requests that the loser starts after the answer to that one are also
  counted separately.
- **The winner stays.** Every request of the winner is authenticated, with one
  exception. A request of the loser that was authenticated before the loser lost may
  change the account's password during the winner's sign-in, after the winner's
  credentials were read. Then the winner signed in with the old password, and Django
  rightly rejects the session at every later request: it has *outdated* credentials. The
  judge compares the password of the sign-in, which its answer tells, with the one that
  the account has at the end; it compares no times for this. A request that starts after
  the loss and changes the password was authenticated, which is a violation by itself.
- **No errors.** No answer is a 5xx, except a 503 with ``Retry-After``, or a 400, with
  which Django answers if a session is deleted during a request. No answer is absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.cap.browsers import Answer
from tests.cap.judge import retryable
from tests.finality.results import Errors


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: when it was sent and wholly answered, by this process's clock."""

    what: str
    started: float
    ended: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that was seen in one trial."""

    username: str
    loser: Sequence[Asked]
    # The winner's attempts to sign in, and its later requests.
    sign_ins: Sequence[Asked]
    winner: Sequence[Asked]
    # Identifies the password that the account has at the end.
    credentials: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial showed. ``under_way`` tells how difficult the trial was."""

    # The loser's requests that were authenticated after it had lost; and those of them
    # that started after the winner had opened a page.
    came_back: tuple[str, ...]
    came_back_later: tuple[str, ...]
    winner_ended: bool
    not_signed_in: bool
    outdated: bool
    errors: Errors
    # The loser's authenticated requests that overlapped the winner's sign-in.
    under_way: int

    @property
    def both_ended(self) -> bool:
        return self.winner_ended and not self.came_back

    @property
    def violated(self) -> bool:
        ended_wrongly = self.winner_ended or self.not_signed_in
        return bool(self.came_back or ended_wrongly or self.errors.count)


def authenticated(answer: Answer, username: str) -> bool:
    return answer.status == 200 and answer.data.get("user") == username


def errors_in(answers: Iterable[Answer]) -> Errors:
    """Count the answers that no client should get."""
    answers = list(answers)
    return Errors(
        server_errors=sum(a.status >= 500 and not retryable(a) for a in answers),
        retryable=sum(retryable(a) for a in answers),
        bad_requests=sum(a.status == 400 for a in answers),
        unanswered=sum(a.status == 0 for a in answers),
    )


def _signed_out(answer: Answer, username: str) -> bool:
    """Return whether an answer is for nobody or another user, and is no error."""
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
