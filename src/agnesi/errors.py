"""Error classes: each says what happened, where the expression was built, and what to do."""

from __future__ import annotations


class AgnesiError(Exception):
    """Base of all errors that agnesi raises on its own account."""


class TypeMismatch(AgnesiError, TypeError):
    """A data type or rank does not fit the operation; known when the expression is built."""


class ShapeError(AgnesiError, ValueError):
    """Sizes do not fit: at build time when both are known, else at the call."""


class IndexOutOfRange(AgnesiError, IndexError):
    """An index of an integer-array lookup lies outside its axis."""


class UnknownInputError(AgnesiError, ValueError):
    """The outputs depend on a variable that is neither an input nor given a value."""


class UnusedInputError(AgnesiError, ValueError):
    """An input does not reach any output or update."""


class GradientError(AgnesiError, ValueError):
    """A derivative was asked for that does not exist or makes no sense."""


class DisconnectedInputError(GradientError):
    """The cost does not depend on a variable it is to be differentiated by."""


class SingularMatrixError(AgnesiError, ArithmeticError):
    """A linear system has no unique solution."""


class VerificationError(AgnesiError, AssertionError):
    """The compiler broke one of its own rules: a bug in agnesi, please report it."""


class CompileError(AgnesiError, RuntimeError):
    """The C compiler failed."""


class GraphTextError(AgnesiError, ValueError):
    """The text of a graph cannot be read back."""
