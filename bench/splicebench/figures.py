"""Arithmetic of the reports, free of any measuring: medians with spread, ratios of
rounds, rank correlation, the search for the knee, whether two runs agree."""

import math
import statistics


def spread_of(values):
    """Median, least and greatest of the values that are there; None when none is."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    return {"median": statistics.median(present), "min": min(present), "max": max(present), "count": len(present)}


def ratio_of_rounds(ours, theirs):
    """The spread of the rounds' own ratios ours/theirs; rounds without both values do not count."""
    pairs = zip(ours, theirs)
    return spread_of([a / b for a, b in pairs if a is not None and b])


def rank_values(values):
    """Ranks from 1; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    ranks = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for place in range(first, last + 1):
            ranks[order[place]] = (first + last) / 2 + 1
        first = last + 1
    return ranks


def spearman(xs, ys):
    """Rank correlation of two equally long lists, −1 to 1; None when one of them never changes."""
    if len(xs) != len(ys):
        raise ValueError("lists of different length")
    if len(xs) < 3:
        return None
    a, b = rank_values(xs), rank_values(ys)
    mean_a, mean_b = statistics.fmean(a), statistics.fmean(b)
    variance_a = sum((x - mean_a) ** 2 for x in a)
    variance_b = sum((y - mean_b) ** 2 for y in b)
    if variance_a == 0 or variance_b == 0:
        return None
    return sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b)) / math.sqrt(variance_a * variance_b)


def interpolate(points, x):
    """y at x on the line through points (x, y); at the ends the nearest point's. Equal x share their mean y."""
    by_x = {}
    for px, py in points:
        by_x.setdefault(px, []).append(py)
    line = sorted((px, statistics.fmean(pys)) for px, pys in by_x.items())
    if x <= line[0][0]:
        return line[0][1]
    for (x0, y0), (x1, y1) in zip(line, line[1:]):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return line[-1][1]


def prediction_errors(rounds):
    """How far a signal read once is from telling the load, each round foretold from all the others.

    rounds: lists of (signal, load as a fraction of the knee). Returns the absolute errors in that fraction."""
    errors = []
    for index, held_out in enumerate(rounds):
        others = [point for other, points in enumerate(rounds) if other != index for point in points]
        if others:
            errors += [abs(interpolate(others, signal) - fraction) for signal, fraction in held_out]
    return errors


def find_knee(holds, low, high, tolerance=0.03, steps_max=12):
    """The highest rate at which holds(rate) is true, by bisection between low and high.

    It is taken for granted that a higher rate never holds where a lower one does not. `high` is raised while it
    holds, at most three times. Returns (rate, steps): 0 when not even `low` holds; the steps are (rate, held)."""
    steps = []

    def step(rate):
        held = bool(holds(rate))
        steps.append((rate, held))
        return held

    if not step(low):
        return 0.0, steps
    for _ in range(3):
        if not step(high):
            break
        low, high = high, high * 1.5
    else:
        return low, steps
    while (high - low) / high > tolerance and len(steps) < steps_max:
        middle = (low + high) / 2
        if step(middle):
            low = middle
        else:
            high = middle
    return low, steps


def ranges_overlap(one, other):
    """Whether two spreads have a value in common."""
    return one["min"] <= other["max"] and other["min"] <= one["max"]


def chance_apart(count, other_count):
    """The chance that all values of one sample lie above all of the other's though nothing differs, or below."""
    return min(1.0, 2 / math.comb(count + other_count, count))


def allowed_apart(chances, certainty=0.99):
    """How many of the rows may lie apart by chance alone: the least number that is not exceeded with `certainty`."""
    distribution = [1.0]
    for chance in chances:
        grown = [0.0] * (len(distribution) + 1)
        for count, weight in enumerate(distribution):
            grown[count] += weight * (1 - chance)
            grown[count + 1] += weight * chance
        distribution = grown
    total = 0.0
    for count, weight in enumerate(distribution):
        total += weight
        if total >= certainty:
            return count
    return len(chances)


def order_of(names, number):
    """The order of a round: another first one each time, and by strides another neighbour before each. The first
    round's order is that of the names."""
    count = len(names)
    strides = [stride for stride in range(1, count) if math.gcd(stride, count) == 1] or [1]
    stride = strides[number % len(strides)]
    return [names[(number + place * stride) % count] for place in range(count)]


def seconds_per_step(budget_s, steps, overhead_s, least_s, most_s):
    """How long a step may take so that all of them stay within the budget."""
    if steps == 0:
        return most_s
    return round(min(max(budget_s / steps - overhead_s, least_s), most_s), 2)


def is_noisy(costs, limits):
    """Why a step does not count, in words, or None. limits: greatest shares of the machine."""
    if costs["steal_share"] > limits["steal"]:
        return f"steal {costs['steal_share']:.1%} of the machine"
    if costs["foreign_share"] > limits["foreign"]:
        return f"foreign processes {costs['foreign_share']:.1%} of the machine"
    return None
