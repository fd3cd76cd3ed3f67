"""The elementary functions of `target/include/vmath.h`: bounds of their errors, where to sample them, exact values."""

import mpmath
import numpy as np
from scipy import special as scipy_special

# The largest error in units in the last place, float32 and float64; the comments of the header say the same.
BOUNDS = {
    "exp": (1.1, 1.1),
    "expm1": (1.7, 1.9),
    "log": (1.0, 1.0),
    "log1p": (1.6, 1.3),
    "softplus": (1.6, 1.5),
    "tanh": (1.8, 1.9),
    "sigmoid": (1.6, 1.6),
    "sin": (1.8, 1.0),
    "cos": (1.8, 1.0),
    "erf": (1.5, 1.5),
    "erfc": (2.5, 2.0),
    "sqrt": (0.5, 0.5),
    "exp2": (0.9, 1.0),
    "log2": (1.9, 1.3),
    "log10": (1.9, 1.3),
    "cbrt": (1.0, 0.8),
    "tan": (3.5, 2.2),
    "asin": (1.6, 1.6),
    "acos": (1.3, 1.3),
    "atan": (1.6, 1.8),
    "sinh": (2.0, 2.1),
    "cosh": (2.1, 1.6),
    "asinh": (2.5, 2.0),
    "acosh": (2.6, 2.6),
    "atanh": (2.3, 2.1),
    "log1mexp": (1.6, 1.6),
    "lgamma": (2.0, 2.0),
    "digamma": (2.5, 2.0),
    "gamma": (0.6, 3.6),
    "trigamma": (3.8, 3.8),
    "logit": (2.6, 2.6),
    "erfcx": (1.8, 1.8),
    "erfinv": (2.6, 2.5),
    "erfcinv": (2.8, 2.8),
}
SLACK = 0.001  # long double is rounded too
BINARY_BOUNDS = {
    "pow": (1.4, 2.2),
    "atan2": (1.8, 1.8),
    "hypot": (1.1, 1.1),
    "logaddexp": (3.2, 3.0),
    "zeta": (0.6, 3.5),
    "xlogy": (1.6, 1.6),
    "xlog1py": (2.2, 1.9),
}
# Near their zeros these are held to an absolute error of as many eps of max(1, log |x|).
CANCELLING = ("lgamma", "digamma")
POLES = (*CANCELLING, "gamma", "trigamma")  # at 0 and negative integers
TRIGONOMETRIC = ("sin", "cos", "tan")

# Where to sample: intervals drawn uniformly, then the decades drawn with both signs and uniform logarithms.
RANGES = {
    "exp": ([(-110, 90), (-1, 1), (-750, 711)], (-30, 2)),
    "expm1": ([(-20, 90), (-1, 1), (-40, 711), (-0.6, -0.2), (0.2, 0.6)], (-30, 2)),
    "log": ([(0.5, 2), (0, 1e-38), (0.99, 1.01), (0, 1e-307), (0, 1e30)], (-37, 37)),
    "log1p": ([(-1, 3), (-0.5, 1), (-0.01, 0.01), (0, 1e20)], (-37, 37)),
    "softplus": ([(-110, 110), (-2, 2), (-20, 20), (-750, 750)], (-30, 2)),
    "tanh": ([(-10, 10), (-1, 1), (-0.01, 0.01), (-20, 20)], (-30, 2)),
    "sigmoid": ([(-110, 110), (-5, 5), (-20, 20), (-750, 750)], (-30, 2)),
    "sin": ([(-7, 7), (-100, 100), (-1e5, 1e5), (-1e15, 1e15), (-1e30, 1e30), (-8e307, 8e307)], (-30, 308)),
    "cos": ([(-7, 7), (-100, 100), (-1e5, 1e5), (-1e15, 1e15), (-1e30, 1e30), (-8e307, 8e307)], (-30, 308)),
    "erf": ([(-4, 4), (-1.1, 1.1), (-6, 6), (0.9, 1.1)], (-30, 1)),
    "erfc": ([(-4, 4), (-1, 11), (-6, 28), (0, 1), (9, 10.2), (26, 27.3)], (-30, 1)),
    "sqrt": ([(0, 1), (0, 1e30), (0, 1e-38)], (-37, 37)),
    "exp2": ([(-150, 129), (-1, 1), (-1080, 1025)], (-30, 2)),
    "log2": ([(0.5, 2), (0, 1e-38), (0.99, 1.01), (0, 1e-307), (0, 1e30)], (-37, 37)),
    "log10": ([(0.5, 2), (0, 1e-38), (0.99, 1.01), (0, 1e-307), (0, 1e30)], (-37, 37)),
    "cbrt": ([(-8, 8), (0, 1e-38), (0, 1e-307)], (-37, 37)),
    "tan": ([(-7, 7), (-100, 100), (-1e5, 1e5), (-1e15, 1e15), (-1e30, 1e30), (-8e307, 8e307)], (-30, 308)),
    "asin": ([(-1, 1), (0.45, 0.55), (0.99, 1)], (-30, 0)),
    "acos": ([(-1, 1), (0.45, 0.55), (-0.55, -0.45), (0.99, 1)], (-30, 0)),
    "atan": ([(-1, 1), (-5, 5), (0.3, 0.5), (2.3, 2.5)], (-30, 30)),
    "sinh": ([(-1.2, 1.2), (-90, 90), (-711, 711)], (-30, 2)),
    "cosh": ([(-1.2, 1.2), (-90, 90), (-711, 711)], (-30, 2)),
    "asinh": ([(-1, 1), (-5, 5), (-100, 100)], (-30, 37)),
    "acosh": ([(1, 2), (1, 1.01), (1, 100)], (0, 37)),
    "atanh": ([(-1, 1), (-0.2, 0.2), (0.99, 1)], (-30, 0)),
    "log1mexp": ([(-2, 0), (-0.01, 0), (-100, 0), (-750, 0)], (-30, 2)),
    "lgamma": ([(0, 5), (0.9, 2.1), (-5, 0), (-30, 0), (3, 200)], (-30, 35)),
    "digamma": ([(0, 5), (1.4, 1.5), (-5, 0), (-30, 0), (3, 200)], (-30, 15)),
    "gamma": ([(0, 5), (0.9, 2.1), (-5, 0), (-30, 0), (3, 36), (30, 172), (-180, -30)], (-30, 2)),
    "trigamma": ([(0, 5), (0, 0.1), (-5, 0), (-30, 0), (3, 200)], (-18, 15)),
    "logit": ([(0, 1), (0.4, 0.6), (0, 0.01), (0.99, 1)], (-37, 0)),
    "erfcx": ([(-9, 9), (-1, 1), (-26, 60)], (-30, 37)),
    "erfinv": ([(-1, 1), (-0.1, 0.1), (0.97, 1), (0.9999, 1)], (-30, 0)),
    "erfcinv": ([(0, 2), (0.9, 1.1), (0, 0.02), (0, 1e-30), (0, 1e-300)], (-37, 0)),
}
# Open intervals outside of which the tests of accuracy take no arguments.
DOMAINS = {"log": (0, 1e999), "log2": (0, 1e999), "log10": (0, 1e999), "sqrt": (0, 1e999), "log1p": (-1, 1e999)}
DOMAINS |= {"asin": (-1, 1), "acos": (-1, 1), "atanh": (-1, 1), "erfinv": (-1, 1), "erfcinv": (0, 2)}
DOMAINS |= {"logit": (0, 1)}
DOMAINS |= {"acosh": (1, 1e999), "log1mexp": (-1e999, 0), "erfcx": (-26.6, 1e999)}


def exact(name, x):
    """The value in mpmath's working precision."""
    if name == "sigmoid":
        return 1 / (1 + mpmath.exp(-x))
    if name == "softplus":
        return mpmath.log1p(mpmath.exp(x))
    return EXACT.get(name, getattr(mpmath, name, None))(x)


def exact_lgamma(x):
    if x > 0:
        return mpmath.loggamma(x)
    return mpmath.log(mpmath.pi / abs(x * mpmath.sinpi(x))) - mpmath.loggamma(-x)


def exact_erfcx(x):
    if x < 50:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    total = term = mpmath.mpf(1)
    for k in range(1, 25):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total / (x * mpmath.sqrt(mpmath.pi))


def exact_erfcinv(y):
    """Newton's method for log(erfc(t)) = log(y)."""
    if y > 1:
        return -exact_erfcinv(2 - y)
    t = mpmath.mpf(float(scipy_special.erfcinv(max(float(y), 1e-300))))
    for _ in range(20 if y < 1e-300 else 4):
        value = mpmath.erfc(t)
        t += value * mpmath.log(value / y) * mpmath.exp(t * t) * mpmath.sqrt(mpmath.pi) / 2
    return t


def exact_erfinv(x):
    return exact_erfcinv(1 - x) if abs(x) > 0.5 else mpmath.erfinv(x)


def exact_trigamma(x):
    return mpmath.psi(1, x) if x > 0 else (mpmath.pi / mpmath.sinpi(x)) ** 2 - mpmath.psi(1, 1 - x)


def angular(function):
    """With as many digits as the largest angle has before the point, and more."""

    def call(x):
        with mpmath.workprec(1300):
            return function(x)

    return call


EXACT = {
    **{name: angular(getattr(mpmath, name)) for name in TRIGONOMETRIC},
    "trigamma": exact_trigamma,
    "logit": lambda x: mpmath.log(x / (1 - x)),
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "log1mexp": lambda x: mpmath.log(-mpmath.expm1(x)) if x > -1 else mpmath.log1p(-mpmath.exp(x)),
    "lgamma": exact_lgamma,
    "erfcx": exact_erfcx,
    "erfinv": exact_erfinv,
    "erfcinv": exact_erfcinv,
}


def log1mexp(x):
    return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


LONG = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, np.longdouble(0)),
    "log1mexp": log1mexp,
    "logit": lambda x: np.where(x < 0.5, -np.log1p((1 - 2 * x) / x), np.log1p((2 * x - 1) / (1 - x))),
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "tan", "sqrt")},
    **{name: getattr(np, name) for name in ("exp2", "log2", "log10", "cbrt", "asin", "acos", "atan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "asinh", "acosh", "atanh")},
}
