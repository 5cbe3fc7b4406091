"""Power: how likely a test is to see a drop, and the smallest drop it is likely to see.

Effects are positive: how far the mean is below what the null says. Everything is one-sided, as the gate's tests are.
The general form takes the standard error and degrees of freedom of the mean, so that it fits pairs and clusters alike;
with n pairs of standard deviation s they are s / sqrt(n) and n - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from runstore.evidence import binomial
from runstore.evidence.distributions import normal_cdf, normal_density, normal_isf, student_isf
from runstore.evidence.noncentral import noncentral_sf
from runstore.evidence.reals import ONE, ZERO, Real, nearest, probability, real, root, share, working

MCNEMAR_EXACT_UP_TO = 250
"""Expected pairs that differ, up to which the power of McNemar's test is summed exactly; beyond it is approximated."""
# Of the steps of a secant search, whose errors multiply: after one this small the next would not show in a double.
_SETTLED = Decimal("1e-12")


@working
def power_at(effect: Real, standard_error: Real, df: Real, alpha: Real) -> float | None:
    """The chance that the t test at level `alpha` sees an effect: P(T > t_alpha), T noncentral t, shift effect / error.

    None without spread (a standard error of 0): a sample without spread does not tell what it would have shown.
    Raises ValueError for an alpha outside (0, 1) or `df` not above 0.
    """
    error, freedom = _spread(standard_error, df)
    if error == 0:
        return None
    critical = student_isf(share(alpha, "alpha"), freedom)
    return probability(noncentral_sf(critical, freedom, real(effect) / error))


@working
def detectable(standard_error: Real, df: Real, alpha: Real, power: Real) -> float | None:
    """The minimum detectable effect: the one that the t test at level `alpha` sees with probability `power`.

    None without spread, as `power_at`. Raises ValueError unless 0 < alpha < power < 1.
    """
    error, freedom = _spread(standard_error, df)
    level, goal = _levels(alpha, power)
    if error == 0:
        return None
    return nearest(_shift(level, goal, freedom) * error, "the minimum detectable effect")


def _shift(alpha: Decimal, goal: Decimal, df: Decimal) -> Decimal:
    """The shift at which the noncentral t test has the power `goal`."""
    critical = student_isf(alpha, df)
    # T - shift is about normal with this deviation (Johnson and Welch 1940): a guess, from which secants go on.
    width = (1 + critical * critical / (2 * df)).sqrt()
    z = normal_isf(goal)
    guess = critical - z * width

    def rise(shift: Decimal) -> Decimal:
        return noncentral_sf(critical, df, shift) - goal

    found = _climb(rise, guess, normal_density(z) / width)
    return _bracketed(rise, guess) if found is None else found


def _climb(rise: Callable[[Decimal], Decimal], guess: Decimal, slope: Decimal) -> Decimal | None:
    """Where a rising function crosses zero, by secants from a guess; None if they do not halve its value each time."""
    place, value = guess, rise(guess)
    for _ in range(12):
        step = value / slope
        if abs(step) < _SETTLED * abs(place):
            return place - step
        after = rise(place - step)
        if abs(after) > abs(value) / 2:
            return None
        slope = (value - after) / step
        place, value = place - step, after
    return None


def _bracketed(rise: Callable[[Decimal], Decimal], guess: Decimal) -> Decimal:
    """The same, slowly and surely: steps that double until the crossing lies between two places."""
    low, high, reach = guess, guess, ONE
    while rise(low) > 0:
        low, reach = low - reach, reach * 2
    reach = ONE
    while rise(high) < 0:
        high, reach = high + reach, reach * 2
    return root(rise, low, high)


@working
def power_of(n: int, sd: Real, effect: Real, alpha: Real) -> float | None:
    """`power_at` for n pairs whose differences have the standard deviation `sd`. None with fewer than two pairs."""
    return power_at(effect, real(sd) / Decimal(n).sqrt(), n - 1, alpha) if n > 1 else None


@working
def minimum_detectable_effect(n: int, sd: Real, alpha: Real, power: Real) -> float | None:
    """`detectable` for n pairs whose differences have the standard deviation `sd`. None with fewer than two pairs."""
    return detectable(real(sd) / Decimal(n).sqrt(), n - 1, alpha, power) if n > 1 else None


def _spread(standard_error: Real, df: Real) -> tuple[Decimal, Decimal]:
    error, freedom = real(standard_error), real(df)
    if error < 0 or freedom <= 0:
        raise ValueError(f"a standard error of {standard_error} with {df} degrees of freedom says nothing")
    return error, freedom


def _levels(alpha: Real, power: Real) -> tuple[Decimal, Decimal]:
    level, goal = share(alpha, "alpha"), share(power, "power")
    if goal <= level:
        raise ValueError(f"a power of {power} is no more than alpha {alpha}: no drop at all is seen that often")
    return level, goal


@working
def mcnemar_power(n: int, p_worse: Real, p_better: Real, alpha: Real) -> float:
    """The chance that McNemar's exact one-sided test at level `alpha` sees that pairs get worse more than better.

    Of n pairs each gets worse with probability `p_worse`, better with `p_better`. With D = p_worse + p_better:

        sum over m of P(Bin(n, D) = m) * P(Bin(m, p_worse / D) >= c_m),
        c_m the least c with P(Bin(m, 1/2) >= c) <= alpha,

    over all m but those that together have less than 1e-12. Beyond 250 expected pairs that differ (n * D) by the normal
    approximation of Connor (1987), Biometrics 43(1), 207-211, less one pair for what whole numbers cost, which
    is within 0.01 of the sum:

        Phi((n * d - z_alpha * sqrt(n * D) - 1) / sqrt(n * (D - d^2))),  d = p_worse - p_better

    Raises ValueError if these are not probabilities.
    """
    worse, better = real(p_worse), real(p_better)
    if n < 0 or worse < 0 or better < 0 or worse + better > 1:
        raise ValueError(f"not probabilities of {n} pairs: {p_worse} worse, {p_better} better")
    return probability(_mcnemar(n, worse + better, share(alpha, "alpha"))(worse - better))


@working
def mcnemar_detectable(n: int, discordant_share: Real, alpha: Real, power: Real) -> float | None:
    """The smallest net drop, (worse - better) / n, that McNemar's exact test sees with probability `power`.

    `discordant_share` of the pairs are expected to differ. None if not even the largest drop, when all of these get
    worse, is seen that often. Raises ValueError unless 0 < alpha < power < 1 and the share lies within [0, 1].
    """
    level, goal = _levels(alpha, power)
    most = real(discordant_share)
    if n < 0 or not 0 <= most <= 1:
        raise ValueError(f"not a share of {n} pairs: {discordant_share}")
    chance = _mcnemar(n, most, level)
    if chance(most) < goal:
        return None
    z = normal_isf(goal)
    rate = (n / most).sqrt()

    def rise(net: Decimal) -> Decimal:
        return chance(min(max(net, ZERO), most)) - goal

    found = _climb(rise, (normal_isf(level) - z) / rate, normal_density(z) * rate)
    return nearest(root(rise, ZERO, most) if found is None else found, "the smallest net drop")


@working
def mcnemar_guess(n: int, p_better: Real, alpha: Real, power: Real) -> float:
    """About the smallest net drop that McNemar's test sees with probability `power` where `p_better` get better.

    Where the approximation of `mcnemar_power` reaches `power`, after a few steps from no drop at all: where to begin a
    search, and no more.
    """
    better, level, goal = real(p_better), normal_isf(share(alpha, "alpha")), normal_isf(share(power, "power"))
    net = ZERO
    for _ in range(8):
        differing = 2 * better + net
        spread = max(differing - net * net, ZERO)
        net = min((level * (n * differing).sqrt() - goal * (n * spread).sqrt() + 1) / n, 1 - 2 * better)
    return float(net)


def _mcnemar(n: int, differing: Decimal, alpha: Decimal) -> Callable[[Decimal], Decimal]:
    """The power as a function of the net drop; it rises with it."""
    if differing == 0:
        return lambda _: ZERO
    if n * differing > MCNEMAR_EXACT_UP_TO:
        return lambda net: _connor(n, differing, net, alpha)
    terms = list(_terms(n, differing, alpha))
    return lambda net: _summed(terms, (1 + net / differing) / 2)


def _connor(n: int, differing: Decimal, net: Decimal, alpha: Decimal) -> Decimal:
    ahead = n * net - normal_isf(alpha) * (n * differing).sqrt() - 1
    spread = n * (differing - net * net)
    if spread == 0:
        return ONE if ahead > 0 else ZERO
    return normal_cdf(ahead / spread.sqrt())


def _terms(n: int, differing: Decimal, alpha: Decimal) -> Iterator[tuple[int, int, Decimal]]:
    """m, c_m and P(Bin(n, D) = m), for rising m. By Bernstein's inequality less than 1e-12 lies outside."""
    centre, spread = n * differing, (n * differing * (1 - differing)).sqrt()
    reach = spread * Decimal("7.5") + 20
    low, high = (max(0, int(centre - reach)), min(n, int(centre + reach))) if differing < 1 else (n, n)
    weight = binomial.mass(n, low, differing)
    for m, critical in _critical(low, high, alpha):
        yield m, critical, weight
        if m < high:
            weight *= (n - m) * differing / ((m + 1) * (1 - differing))


def _critical(low: int, high: int, alpha: Decimal) -> Iterator[tuple[int, int]]:
    """m and c_m for m from low to high, in whole numbers: of 2^m outcomes at most alpha may reach c_m."""
    top, bottom = alpha.as_integer_ratio()
    critical, tail, before = low + 1, 0, 1  # `tail` outcomes reach `critical`; `before` are one short of it
    while critical > 0 and (tail + before) * bottom <= top << low:
        tail += before
        critical -= 1
        before = before * critical // (low - critical + 1)
    for m in range(low, high + 1):
        yield m, critical
        tail = 2 * tail + before
        before = before * (m + 1) // (m + 2 - critical)
        if tail * bottom > top << (m + 1):
            before = before * (m + 2 - critical) // critical
            tail -= before
            critical += 1


def _summed(terms: list[tuple[int, int, Decimal]], p: Decimal) -> Decimal:
    """The sum of weight * P(Bin(m, p) >= c): m grows by one, c by at most one, so each tail follows from the last."""
    if p >= 1:
        return sum((weight for m, critical, weight in terms if critical <= m), ZERO)
    m, critical, _ = terms[0]
    tail, short = binomial.upper(m, critical, p), binomial.mass(m, critical - 1, p)
    total = ZERO
    for following, raised, weight in terms:
        if following > m:
            tail += p * short
            short *= (m + 1) * (1 - p) / (m + 2 - critical)
            m = following
        if raised > critical:
            short *= (m + 1 - critical) * p / (critical * (1 - p))
            tail -= short
            critical = raised
        total += weight * tail
    return total
