"""Add a mixin of this package to the class of one of the project's objects."""

from __future__ import annotations

import copy
from typing import Any, Self, SupportsIndex


def with_mixin(mixin: type[Any], kind: type[Any], **attributes: Any) -> type[Any]:
    """
    Return a subclass of ``kind`` that also inherits from ``mixin``.

    The subclass has the names of ``kind``, and the given class ``attributes``.
    """
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (mixin, kind), {**names, **attributes})


class GuardedCopies:
    """
    A mixin that copies and pickles an object whose class has become a subclass.

    A copy is an object of the subclass as well. A pickle holds an object of the
    object's former class, which another process can load without this package.
    """

    def __copy__(self) -> Self:
        return self._guard(copy.copy(self._plain()))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._guard(copy.deepcopy(self._plain(), memo))

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # With later protocols, pickle insists on the class of this object.
        return self._plain().__reduce_ex__(min(int(protocol), 1))

    def _plain(self) -> Any:
        """Return an object of the former class with the attributes of this object."""
        raise NotImplementedError

    def _guard(self, copied: Any) -> Self:
        """Turn ``copied``, a copy of ``_plain()``, into an object of the subclass."""
        raise NotImplementedError
