"""Kernels of `rectified` and `joined`, on R pixels by C channels that lie channels last.

Reductions take two steps, first by many programs and then over what these left, and add in the same order each time.
Where features are halved as well, QUARTERS is 4: four pixels of a square are treated together, else one alone.
"""

import triton
import triton.language as tl

# Not worth kernels of their own. Steps in memory are: where they are multiples of 16, more is loaded at a time.
COUNTS = ["pixels", "squares", "programs", "width"]


@triton.jit
def _pixel(square, quarter, width, QUARTERS: tl.constexpr):
    """Which pixel is this quarter of a square; `width` squares make a row."""
    if QUARTERS == 1:
        return square.to(tl.int64)
    return (square // width).to(tl.int64) * 4 * width + 2 * (square % width) + quarter // 2 * 2 * width + quarter % 2


@triton.jit(do_not_specialize=COUNTS)
def moments(x, partial, pixels, channels, programs, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Count, mean and sum of squared deviations of each program's pixels, by Welford's updates: (3, programs, C)."""
    program = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    count = tl.zeros([ROWS, 1], tl.float32)
    mean = tl.zeros([ROWS, COLUMNS], tl.float32)
    squares = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(program * ROWS, pixels, programs * ROWS):
        row = (start + tl.arange(0, ROWS))[:, None]
        there = row < pixels
        place = x + row.to(tl.int64) * channels + column[None, :]
        values = tl.load(place, mask=there & inside[None, :], other=0).to(tl.float32)
        count += tl.where(there, 1.0, 0.0)
        deviation = tl.where(there, values - mean, 0.0)
        mean += deviation * (1 / tl.maximum(count, 1.0))
        squares += deviation * (values - mean)
    together = tl.sum(count, 0)
    joint = tl.sum(mean * count, 0) / tl.maximum(together, 1.0)
    apart = mean - joint[None, :]
    place = partial + program * channels + column
    size = programs * channels
    tl.store(place, tl.zeros_like(joint) + together, mask=inside)
    tl.store(place + size, joint, mask=inside)
    tl.store(place + 2 * size, tl.sum(squares + count * apart * apart, 0), mask=inside)


@triton.jit(do_not_specialize=COUNTS)
def settle_moments(
    partial, weight, bias, running_mean, running_variance, seen, saved, pixels, channels, programs, momentum, epsilon,
    PROGRAMS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Mean, 1 / deviation, and what makes the normalised value of a pixel, factor and addend: saved, (4, C)."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    row = tl.arange(0, PROGRAMS)[:, None]
    there = (row < programs) & inside[None, :]
    place = partial + row * channels + column[None, :]
    size = programs * channels
    count = tl.load(place, mask=there, other=0)
    mean = tl.load(place + size, mask=there, other=0)
    squares = tl.load(place + 2 * size, mask=there, other=0)
    joint = tl.sum(count * mean, 0) / pixels
    apart = mean - joint[None, :]
    variance = tl.sum(squares + count * apart * apart, 0) / pixels
    inverse = 1 / tl.sqrt_rn(variance + epsilon)
    factor = tl.load(weight + column, mask=inside) * inverse
    place = saved + column
    tl.store(place, joint, mask=inside)
    tl.store(place + channels, inverse, mask=inside)
    tl.store(place + 2 * channels, factor, mask=inside)
    tl.store(place + 3 * channels, tl.load(bias + column, mask=inside) - joint * factor, mask=inside)
    before = tl.load(running_mean + column, mask=inside)
    tl.store(running_mean + column, before + momentum * (joint - before), mask=inside)
    before = tl.load(running_variance + column, mask=inside)
    unbiased = variance * (pixels / (pixels - 1.0))
    tl.store(running_variance + column, before + momentum * (unbiased - before), mask=inside)
    if tl.program_id(0) == 0:
        tl.store(seen, tl.load(seen) + 1)


@triton.jit(do_not_specialize=COUNTS)
def rectify(
    x, saved, y, halved, squares, channels, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr, QUARTERS: tl.constexpr
):
    """What is normalised and above 0, and the largest of each square."""
    square = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    there = (square < squares) & (column < channels)[None, :]
    _, _, factor, addend = _saved(saved, column, channels)
    largest = tl.zeros([ROWS, COLUMNS], tl.float32)
    for quarter in tl.static_range(QUARTERS):
        place = _pixel(square, quarter, width, QUARTERS) * channels + column[None, :]
        value = tl.load(x + place, mask=there).to(tl.float32) * factor + addend
        value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
        tl.store(y + place, value, mask=there)
        largest = tl.maximum(largest, value, propagate_nan=tl.PropagateNan.ALL)
    if QUARTERS == 4:
        tl.store(halved + square.to(tl.int64) * channels + column[None, :], largest, mask=there)


@triton.jit
def _saved(saved, column, channels):
    """Mean, 1 / deviation, factor and addend of some channels."""
    inside, place = column < channels, saved + column
    mean, inverse = tl.load(place, mask=inside), tl.load(place + channels, mask=inside)
    factor, addend = tl.load(place + 2 * channels, mask=inside), tl.load(place + 3 * channels, mask=inside)
    return mean[None, :], inverse[None, :], factor[None, :], addend[None, :]


@triton.jit
def _coming(x, dhalved, square, column, there, factor, channels, width, QUARTERS: tl.constexpr):
    """The rank of each square's largest pixel, and the gradient that comes to it."""
    largest = tl.full(there.shape, float("-inf"), tl.float32)
    for quarter in tl.static_range(QUARTERS):
        place = x + _pixel(square, quarter, width, QUARTERS) * channels + column[None, :]
        largest = tl.maximum(largest, _rank(tl.load(place, mask=there, other=0).to(tl.float32), factor))
    place = dhalved + square.to(tl.int64) * channels + column[None, :]
    return largest, tl.load(place, mask=there, other=0).to(tl.float32)


@triton.jit
def _rank(value, factor):
    """Orders pixels as their normalised values do; nothing is rounded, so equal ones are found again."""
    return tl.where(factor < 0, -value, value)


@triton.jit
def _given(
    x, dy, square, quarter, column, there, factor, addend, channels, stride, width, largest, coming,
    QUARTERS: tl.constexpr,
):  # fmt: skip
    """A pixel's value, the gradient of what is normalised there, and the gradient that still comes to its square."""
    pixel = _pixel(square, quarter, width, QUARTERS)
    value = tl.load(x + pixel * channels + column[None, :], mask=there, other=0).to(tl.float32)
    given = tl.load(dy + pixel * stride + column[None, :], mask=there, other=0).to(tl.float32)
    if QUARTERS == 4:
        # The first of the largest takes all.
        here = _rank(value, factor) == largest
        given += tl.where(here, coming, 0.0)
        coming = tl.where(here, 0.0, coming)
    return value, tl.where(value * factor + addend <= 0, 0.0, given), coming


@triton.jit(do_not_specialize=COUNTS)
def gradients(
    x, dy, dhalved, saved, partial, squares, channels, stride, width, programs,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, QUARTERS: tl.constexpr,
):  # fmt: skip
    """Sums of the gradients of each program's pixels, and of their products with the normalised: (2, programs, C)."""
    program = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    mean, inverse, factor, addend = _saved(saved, column, channels)
    plain = tl.zeros([ROWS, COLUMNS], tl.float32)
    product = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(program * ROWS, squares, programs * ROWS):
        square = (start + tl.arange(0, ROWS))[:, None]
        there = (square < squares) & inside[None, :]
        largest, coming = 0.0, 0.0
        if QUARTERS == 4:
            largest, coming = _coming(x, dhalved, square, column, there, factor, channels, width, QUARTERS)
        for quarter in tl.static_range(QUARTERS):
            value, given, coming = _given(
                x, dy, square, quarter, column, there, factor, addend, channels, stride, width, largest, coming,
                QUARTERS,
            )  # fmt: skip
            plain += given
            product += given * ((value - mean) * inverse)
    place = partial + program * channels + column
    tl.store(place, tl.sum(plain, 0), mask=inside)
    tl.store(place + programs * channels, tl.sum(product, 0), mask=inside)


@triton.jit(do_not_specialize=COUNTS)
def settle_sums(partial, sums, channels, programs, PROGRAMS: tl.constexpr, COLUMNS: tl.constexpr):
    """What programs added, over all programs: of partial (N, programs, C), one of N by each program, sums (N, C)."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    row = tl.arange(0, PROGRAMS)[:, None]
    there = (row < programs) & (column < channels)[None, :]
    place = partial + (tl.program_id(1) * programs + row) * channels + column[None, :]
    together = tl.sum(tl.load(place, mask=there, other=0), 0)
    tl.store(sums + tl.program_id(1) * channels + column, together, mask=column < channels)


@triton.jit(do_not_specialize=COUNTS)
def spread_gradients(
    x, dy, dhalved, saved, sums, dx, squares, channels, stride, width,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, QUARTERS: tl.constexpr,
):  # fmt: skip
    """The gradient of what was normalised."""
    square = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    there = (square < squares) & inside[None, :]
    mean, inverse, factor, addend = _saved(saved, column, channels)
    pixels = squares * QUARTERS
    plain = tl.load(sums + column, mask=inside)[None, :] / pixels
    product = tl.load(sums + channels + column, mask=inside)[None, :] / pixels
    largest, coming = 0.0, 0.0
    if QUARTERS == 4:
        largest, coming = _coming(x, dhalved, square, column, there, factor, channels, width, QUARTERS)
    for quarter in tl.static_range(QUARTERS):
        value, given, coming = _given(
            x, dy, square, quarter, column, there, factor, addend, channels, stride, width, largest, coming, QUARTERS
        )
        taken = factor * (given - plain - (value - mean) * inverse * product)
        tl.store(dx + _pixel(square, quarter, width, QUARTERS) * channels + column[None, :], taken, mask=there)


@triton.jit(do_not_specialize=COUNTS)
def join(skip, enlarged, bias, out, pixels, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Both side by side, with a bias on the second: (R, 2 C)."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    there = (row < pixels) & (column < channels)[None, :]
    place = row.to(tl.int64) * channels + column[None, :]
    to = out + row.to(tl.int64) * 2 * channels + column[None, :]
    tl.store(to, tl.load(skip + place, mask=there), mask=there)
    added = tl.load(bias + column, mask=column < channels)[None, :]
    tl.store(to + channels, tl.load(enlarged + place, mask=there).to(tl.float32) + added, mask=there)


@triton.jit(do_not_specialize=COUNTS)
def part(dout, denlarged, partial, pixels, channels, programs, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """The second half's gradient on its own, and its sums by each program: (programs, C)."""
    program = tl.program_id(0)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(program * ROWS, pixels, programs * ROWS):
        row = (start + tl.arange(0, ROWS))[:, None].to(tl.int64)
        there = (row < pixels) & inside[None, :]
        given = tl.load(dout + (2 * row + 1) * channels + column[None, :], mask=there, other=0)
        tl.store(denlarged + row * channels + column[None, :], given, mask=there)
        total += given.to(tl.float32)
    tl.store(partial + program * channels + column, tl.sum(total, 0), mask=inside)
