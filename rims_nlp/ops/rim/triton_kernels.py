"""What gpu.py launches: the loop over time on a GPU, in Triton. Import it only where Triton is installed.

Sequences of a batch do not meet, so a program takes a few of them through all steps of a chunk and all units without
waiting for another program. What does not fit in registers lies in global memory that no other program touches, and a
barrier separates the phases of a step: threads read there what other threads of the program wrote. Few sequences a
program spread the work; a product of few rows is summed as it is, one of 16 rows goes through ``tl.dot``.

Shape letters: R sequences of a program, T steps, B batch, K units, Kp the same as a power of two, D unit size, G gates,
Hi, N, E input heads, elements and pairs of both, Hp the heads as a power of two, Hc communication heads, P what a unit
projects for the communication (queries, keys, values of all heads), V values alone, W what an update is made of. ``a``
holds the arrays, under the names that cpu.py gives them; all but ``gates`` and ``keys`` are contiguous. ``row`` is
t*B + b and ``mine`` masks the rows of a program that have a sequence, all (R).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import triton
import triton.language as tl

TILE = 8192
"""Entries of a tile in registers, about."""


@dataclass(frozen=True)
class Plan:
    """What a kernel is compiled for: sizes, options and tiles. Everything else may change from call to call."""

    units: int
    size: int
    gates: int
    heads: int
    elements: int
    comm_heads: int
    comm_key: int
    comm_value: int
    num_active: int
    top_k: int  # 0: all
    gru: bool
    attends: bool
    competes: bool
    communicates: bool
    gated: bool
    committed: bool
    wide: tl.dtype  # of sums
    precision: str  # of products, as in tl.dot
    rows: int  # R
    columns: int  # of a product, in one tile
    inner: int  # entries of a product's inner dimension, in one tile

    @property
    def entries(self) -> int:
        """E."""
        return self.heads * self.elements

    @property
    def width(self) -> int:
        """Of all gates of a unit, G*D."""
        return self.gates * self.size

    @property
    def values(self) -> int:
        """V."""
        return self.comm_heads * self.comm_value

    @property
    def projected(self) -> int:
        """P."""
        return 2 * self.comm_heads * self.comm_key + self.values

    @property
    def update(self) -> int:
        """W."""
        return 2 * self.size if self.gated else self.size

    @property
    def scale(self) -> float:
        """Of communication scores."""
        return 1 / math.sqrt(self.comm_key)

    @property
    def padded(self) -> int:
        """Kp."""
        return triton.next_power_of_2(self.units)

    @property
    def padded_heads(self) -> int:
        """Hp."""
        return triton.next_power_of_2(self.heads)

    @property
    def part(self) -> int:
        """Entries of vectors of which there are (R, Hp or Kp, Kp), in one tile."""
        return max(4, min(64, TILE // (self.rows * self.padded * max(self.padded, self.padded_heads))))


# ---- pieces --------------------------------------------------------------------------------------------------------


@triton.jit
def tanh(x):
    """With full relative precision where x is small: it ranks units."""
    e = tl.exp(-2 * tl.abs(x))
    large = (1 - e) / (1 + e)
    square = x * x
    small = x * (1 - square * (1 / 3 - square * (2 / 15 - square * (17 / 315 - square * 62 / 2835))))
    return tl.where(square < 1 / 64, small, tl.where(x < 0, -large, large))


@triton.jit
def before(first, later, t, step):
    """Where the state before step t lies: ``first`` for the first step, else step t-1 of ``later``."""
    at = first
    if t > 0:
        at = later + tl.cast(t - 1, tl.int64) * step
    return at


@triton.jit
def tile(start, size: tl.constexpr, present, plan: tl.constexpr):
    """Columns n of a tile, and which of them there are in the rows ``present`` (R)."""
    n = start + tl.arange(0, plan.columns)
    return n, present[:, None] & (n < size)[None, :]


@triton.jit
def load_rows(rows, n, inside):
    """Entries n of the rows at pointers ``rows``, (R, n), 0 outside."""
    return tl.load(rows[:, None] + n[None, :], mask=inside, other=0.0)


@triton.jit
def store_rows(rows, n, values, inside):
    """The same for storing."""
    tl.store(rows[:, None] + n[None, :], values, mask=inside)


@triton.jit
def multiply(x, weight, there, total, plan: tl.constexpr):
    """``total + x @ weight`` for a tile of ``weight``, given by pointers; few rows are summed over inner later."""
    weight = tl.load(weight, mask=there, other=0.0)
    if plan.rows < 16:
        return total + x * weight
    else:  # noqa: RET505
        return tl.dot(x.to(weight.dtype), weight, total, input_precision=plan.precision)


@triton.jit
def products(
    left, present, right, inside, inner: tl.constexpr, stride: tl.constexpr, gap: tl.constexpr, count: tl.constexpr,
    plan: tl.constexpr,
):  # fmt: skip
    """Products of some rows with up to four matrices.

    Args:
        left: pointers to the rows (R), each of ``inner`` entries; those not ``present`` (R) are taken as 0.
        right: pointers to the columns of the first matrix; those not ``inside`` are taken as 0.
        stride: from one entry of a column to the next.
        gap: from one matrix to the next.
        count: number of matrices.

    Returns:
        Four times (R, columns); those beyond ``count`` are 0.
    """
    if plan.rows < 16:
        first = tl.zeros((plan.rows, plan.inner, plan.columns), plan.wide)
    else:
        first = tl.zeros((plan.rows, plan.columns), plan.wide)
    second, third, fourth = first, first, first
    for start in range(0, inner, plan.inner):
        i = start + tl.arange(0, plan.inner)
        if plan.rows < 16:  # (R, inner, 1) and (1, inner, columns)
            here = present[:, None, None] & (i < inner)[None, :, None]
            x = tl.load(left[:, None, None] + i[None, :, None], mask=here, other=0.0)
            weight = right[None, None, :] + i[None, :, None] * stride
            there = (i < inner)[None, :, None] & inside[None, None, :]
        else:
            x = load_rows(left, i, present[:, None] & (i < inner)[None, :])
            weight = right[None, :] + i[:, None] * stride
            there = (i < inner)[:, None] & inside[None, :]
        first = multiply(x, weight, there, first, plan)
        if count > 1:
            second = multiply(x, weight + gap, there, second, plan)
        if count > 2:
            third = multiply(x, weight + 2 * gap, there, third, plan)
        if count > 3:
            fourth = multiply(x, weight + 3 * gap, there, fourth, plan)
    if plan.rows < 16:
        return tl.sum(first, 1), tl.sum(second, 1), tl.sum(third, 1), tl.sum(fourth, 1)
    else:  # noqa: RET505
        return first, second, third, fourth


@triton.jit
def pair_products(left, right, there, size: tl.constexpr, plan: tl.constexpr):
    """Scalar products of vectors at pointers that broadcast to three dimensions; 0 where not ``there``."""
    total = tl.zeros(there.shape, plan.wide)
    for start in range(0, size, plan.part):
        n = start + tl.arange(0, plan.part)[None, None, None, :]
        inside = there[:, :, :, None] & (n < size)
        x = tl.load(left[:, :, :, None] + n, mask=inside, other=0.0).to(plan.wide)
        total += tl.sum(x * tl.load(right[:, :, :, None] + n, mask=inside, other=0.0), 3)
    return total


@triton.jit
def all_units(mine, plan: tl.constexpr):
    """Whether there is such a unit of such a sequence, (R, Kp)."""
    return mine[:, None] & (tl.arange(0, plan.padded) < plan.units)[None, :]


@triton.jit
def count_ahead(values, plan: tl.constexpr):
    """How many units come before each in a stable descending order, NaN first as in torch.sort; (rows, Kp) to same."""
    k = tl.arange(0, plan.padded)
    mine, other = values[:, :, None], values[:, None, :]
    larger = (other > mine) | ((other != other) & (mine == mine))
    smaller = (other < mine) | ((mine != mine) & (other == other))
    ahead = larger | ((k[None, None, :] < k[None, :, None]) & (smaller == 0))
    return tl.sum((ahead & (k < plan.units)[None, None, :]).to(tl.int32), 2)


@triton.jit
def is_active(a, row, mine, k, plan: tl.constexpr):
    """Whether unit k of each sequence is active, (R)."""
    return tl.load(a.active + row * plan.units + k, mask=mine, other=0) != 0


@triton.jit
def places(a, slots, row, mine, k, plan: tl.constexpr):
    """Rows of unit k in its gradient buffers, and whether it has one; shapes as those of the arguments together."""
    slot = tl.load(a.slot + row * plan.units + k, mask=mine, other=-1)
    return slot + tl.cast(k, tl.int64) * slots, slot >= 0


# ---- input attention -----------------------------------------------------------------------------------------------


@triton.jit
def key_rows(a, row, k, entry, plan: tl.constexpr):
    """Pointers to one entry's share of the scores of unit k, each to (D)."""
    head, element = tl.cast(entry // plan.elements, tl.int64), entry % plan.elements
    return a.keys + head * a.keys_head + (row * plan.elements + element) * a.keys_row + k * plan.size


@triton.jit
def gate_rows(a, row, k, entry, plan: tl.constexpr):
    """Pointers to one entry's share of the gates of unit k, each to (G*D)."""
    head, element = tl.cast(entry // plan.elements, tl.int64), entry % plan.elements
    unit = head * a.gates_head + tl.cast(k, tl.int64) * a.gates_unit
    return a.gates + unit + (row * plan.elements + element) * a.gates_row


@triton.jit
def all_entries(row, b, mine, plan: tl.constexpr):
    """Row, sequence, head and unit, and whether there is such a one: of shapes that broadcast to (R, Hp, Kp)."""
    head, k = tl.arange(0, plan.padded_heads)[None, :, None], tl.arange(0, plan.padded)[None, None, :]
    there = mine[:, None, None] & (head < plan.heads) & (k < plan.units)
    return row[:, None, None], b[:, None, None], head, k, there


@triton.jit
def attend(a, h, row, b, mine, plan: tl.constexpr):
    """Attention of every unit to the input, and the choice of the active ones.

    Softmax over the null element's 0 and the scores s is sigmoid(logsumexp(s)) * softmax(s).
    """
    rows, sequence, head, k, there = all_entries(row, b, mine, plan)
    unit = (rows * plan.units + k) * plan.entries + head * plan.elements
    level = tl.zeros((plan.rows, plan.padded_heads, plan.padded), plan.wide)
    if plan.attends:
        top, total = level - float("inf"), level
        for n in range(plan.elements):
            key = key_rows(a, rows, k, head * plan.elements + n, plan)
            score = pair_products(h + (sequence * plan.units + k) * plan.size, key, there, plan.size, plan)
            tl.store(a.attention + unit + n, score, mask=there)
            larger = tl.maximum(top, score)
            total = total * tl.exp(top - larger) + tl.exp(score - larger)
            top = larger
        level = top + tl.log(total)
        tl.debug_barrier()
        for n in range(plan.elements):
            score = tl.load(a.attention + unit + n, mask=there, other=0.0)
            tl.store(a.attention + unit + n, tl.exp(score - top) / total * tl.sigmoid(level), mask=there)
    else:
        for n in range(plan.elements):
            tl.store(a.attention + unit + n, level + 1 / plan.elements, mask=there)
    here = all_units(mine, plan)
    active = here
    if plan.competes:
        level = tl.where(there, tanh(level / 2), 0.0)
        active = active & (count_ahead(tl.sum(level, 1), plan) < plan.num_active)
    if a.update is not None:
        active = active & (tl.load(a.update + row, mask=mine, other=0) != 0)[:, None]
    store_rows(a.active + row * plan.units, tl.arange(0, plan.padded), active.to(tl.uint8), here)


@triton.jit
def attend_backward(a, slots, row, b, mine, plan: tl.constexpr):
    """Through the input's share of the gates to the scores, in ``grad_scores`` (B, K, E)."""
    rows, sequence, head, k, there = all_entries(row, b, mine, plan)
    place, has = places(a, slots, rows, there, k, plan)
    weight = a.attention + (rows * plan.units + k) * plan.entries + head * plan.elements
    leaving = a.grad_scores + (sequence * plan.units + k) * plan.entries + head * plan.elements
    mean = tl.zeros((plan.rows, plan.padded_heads, plan.padded), plan.wide)
    for n in range(plan.elements):
        share = gate_rows(a, rows, k, head * plan.elements + n, plan)
        grad = pair_products(a.grad_gates + place * plan.width, share, has, plan.width, plan)
        mean += grad * tl.load(weight + n, mask=there, other=0.0)
        tl.store(leaving + n, grad, mask=there)
    tl.debug_barrier()
    for n in range(plan.elements):
        grad = tl.load(leaving + n, mask=there, other=0.0)
        tl.store(leaving + n, tl.load(weight + n, mask=there, other=0.0) * (grad - mean), mask=there)


# ---- cells ---------------------------------------------------------------------------------------------------------


@triton.jit
def add_bias(first, second, third, fourth, bias, k, n, plan: tl.constexpr):
    """Add the bias of unit k (None: there is none) in columns n to its gates."""
    if bias is not None:
        at, inside = bias + k * plan.width + n, n < plan.size
        first += tl.load(at, mask=inside, other=0.0)[None, :]
        second += tl.load(at + plan.size, mask=inside, other=0.0)[None, :]
        third += tl.load(at + 2 * plan.size, mask=inside, other=0.0)[None, :]
        if plan.gates == 4:
            fourth += tl.load(at + 3 * plan.size, mask=inside, other=0.0)[None, :]
    return first, second, third, fourth


@triton.jit
def input_gates(a, row, mine, k, n, inside, plan: tl.constexpr):
    """The input's share of the gates of unit k in columns n, with its bias: four times (R, columns), GRU three."""
    first = tl.zeros((plan.rows, plan.columns), plan.wide)
    second, third, fourth = first, first, first
    for entry in range(plan.entries):
        weight = tl.load(a.attention + (row * plan.units + k) * plan.entries + entry, mask=mine, other=0.0)[:, None]
        share = gate_rows(a, row, k, entry, plan)
        first += weight * load_rows(share, n, inside)
        second += weight * load_rows(share + plan.size, n, inside)
        third += weight * load_rows(share + 2 * plan.size, n, inside)
        if plan.gates == 4:
            fourth += weight * load_rows(share + 3 * plan.size, n, inside)
    return add_bias(first, second, third, fourth, a.bias_ih, k, n, plan)


@triton.jit
def hidden_gates(a, h, b, mine, k, n, plan: tl.constexpr):
    """``h Whh`` of unit k in columns n, with its bias; as above."""
    first, second, third, fourth = products(
        h + (b * plan.units + k) * plan.size, mine, a.weight_hh + k * (plan.size * plan.width) + n, n < plan.size,
        plan.size, plan.width, plan.size, plan.gates, plan,
    )  # fmt: skip
    return add_bias(first, second, third, fourth, a.bias_hh, k, n, plan)


@triton.jit
def propose(a, source, h, c, h_new, c_new, row, b, mine, k, plan: tl.constexpr):
    """Candidate states of unit k, to ``source``, and their commitment where it is active (before communication)."""
    on = is_active(a, row, mine, k, plan)[:, None]
    unit = (b * plan.units + k) * plan.size
    for start in range(0, plan.size, plan.columns):
        n, inside = tile(start, plan.size, mine, plan)
        x0, x1, x2, x3 = input_gates(a, row, mine, k, n, inside, plan)
        h0, h1, h2, h3 = hidden_gates(a, h, b, mine, k, n, plan)
        old = load_rows(h + unit, n, inside)
        if plan.gru:
            z = tl.sigmoid(x1 + h1)
            candidate = (1 - z) * tanh(x2 + tl.sigmoid(x0 + h0) * h2) + z * old
        else:
            old_c = load_rows(c + unit, n, inside)
            cell = tl.sigmoid(x1 + h1) * old_c + tl.sigmoid(x0 + h0) * tanh(x2 + h2)
            candidate = tl.sigmoid(x3 + h3) * tanh(cell)
        new = tl.where(on, candidate, old)
        store_rows(h_new + unit, n, new, inside)
        if plan.communicates:
            if plan.committed:
                candidate = new
            store_rows(source + unit, n, candidate, inside)
        if not plan.gru:  # last: it may lie where old_c was
            store_rows(c_new + unit, n, tl.where(on, cell, old_c), inside)


@triton.jit
def propose_backward(a, slots, h, c, row, b, mine, k, plan: tl.constexpr):
    """Through the cell of unit k to its gates, and to the old c (GRU: to the old h, in part)."""
    on = is_active(a, row, mine, k, plan)[:, None]
    place, has = places(a, slots, row, mine, k, plan)
    unit = (b * plan.units + k) * plan.size
    leaving, hidden = a.grad_gates + place * plan.width, a.grad_hidden_gates + place * plan.width
    for start in range(0, plan.size, plan.columns):
        n, inside = tile(start, plan.size, has, plan)
        x0, x1, x2, x3 = input_gates(a, row, mine, k, n, inside, plan)
        h0, h1, h2, h3 = hidden_gates(a, h, b, mine, k, n, plan)
        old, grad = load_rows(h + unit, n, inside), load_rows(a.grad_candidate + unit, n, inside)
        if plan.gru:
            r, z = tl.sigmoid(x0 + h0), tl.sigmoid(x1 + h1)
            new = tanh(x2 + r * h2)
            grad_n = grad * (1 - z) * (1 - new * new)
            grad_r = grad_n * h2 * r * (1 - r)
            grad_z = grad * (old - new) * z * (1 - z)
            store_rows(leaving, n, grad_r, inside)
            store_rows(leaving + plan.size, n, grad_z, inside)
            store_rows(leaving + 2 * plan.size, n, grad_n, inside)
            store_rows(hidden, n, grad_r, inside)
            store_rows(hidden + plan.size, n, grad_z, inside)
            store_rows(hidden + 2 * plan.size, n, grad_n * r, inside)
            store_rows(a.grad_h + unit, n, load_rows(a.grad_h + unit, n, inside) + grad * z, inside)
        else:
            old_c, later = load_rows(c + unit, n, inside), load_rows(a.grad_c + unit, n, inside)
            i, f, g, o = tl.sigmoid(x0 + h0), tl.sigmoid(x1 + h1), tanh(x2 + h2), tl.sigmoid(x3 + h3)
            squashed = tanh(f * old_c + i * g)
            cell = grad * o * (1 - squashed * squashed) + tl.where(on, later, 0.0)
            store_rows(leaving, n, cell * g * i * (1 - i), inside)
            store_rows(leaving + plan.size, n, cell * old_c * f * (1 - f), inside)
            store_rows(leaving + 2 * plan.size, n, cell * i * (1 - g * g), inside)
            store_rows(leaving + 3 * plan.size, n, grad * squashed * o * (1 - o), inside)
            store_rows(a.grad_c + unit, n, cell * f + tl.where(on, 0.0, later), inside)


@triton.jit
def state_backward(a, slots, h, row, b, mine, k, plan: tl.constexpr):
    """From gates and scores of unit k to its old h, and from the scores to the keys (0 without a slot)."""
    place, has = places(a, slots, row, mine, k, plan)
    unit, hidden = (b * plan.units + k) * plan.size, a.grad_hidden_gates + place * plan.width
    scores = a.grad_scores + (b * plan.units + k) * plan.entries
    for start in range(0, plan.size, plan.columns):
        n, inside = tile(start, plan.size, mine, plan)
        weight = a.weight_hh + (k * plan.size + n) * plan.width
        total = products(hidden, has, weight, n < plan.size, plan.width, 1, 0, 1, plan)[0]
        total += load_rows(a.grad_h + unit, n, inside)
        if plan.attends:
            old = load_rows(h + unit, n, inside)
            for entry in range(plan.entries):
                head, element = tl.cast(entry // plan.elements, tl.int64), entry % plan.elements
                score = tl.load(scores + entry, mask=mine, other=0.0)[:, None]
                total += score * load_rows(key_rows(a, row, k, entry, plan), n, inside)
                leaving = a.grad_keys + head * a.grad_keys_head + k * plan.size
                place = (row * plan.elements + element) * (plan.units * plan.size)
                store_rows(leaving + place, n, score * old, inside)
        store_rows(a.grad_h + unit, n, total, inside)


# ---- communication -------------------------------------------------------------------------------------------------


@triton.jit
def project(a, source, b, mine, k, plan: tl.constexpr):
    """Queries, keys and values of unit k, to ``projected`` (B, K, P)."""
    unit = b * plan.units + k
    left = source + unit * plan.size
    for start in range(0, plan.projected, plan.columns):
        n, inside = tile(start, plan.projected, mine, plan)
        right = a.project + k * (plan.size * plan.projected) + n
        total = products(left, mine, right, n < plan.projected, plan.size, plan.projected, 0, 1, plan)[0]
        store_rows(a.projected + unit * plan.projected, n, total, inside)


@triton.jit
def all_pairs(row, mine, head, plan: tl.constexpr):
    """Whether a unit (second) can read another (third), and the place of its attention: (R, Kp, Kp)."""
    k, j = tl.arange(0, plan.padded)[None, :, None], tl.arange(0, plan.padded)[None, None, :]
    there = mine[:, None, None] & (k < plan.units) & (j < plan.units)
    return there, ((row[:, None, None] * plan.comm_heads + head) * plan.units + k) * plan.units + j


@triton.jit
def vectors(array, first, size: tl.constexpr, plan: tl.constexpr):
    """Pointers (R, Kp) to a vector of each unit, for sequences or rows ``first`` (R) of an array (..., K, size)."""
    return array + (first[:, None] * plan.units + tl.arange(0, plan.padded)[None, :]) * size


@triton.jit
def mix(weight, source, there, to, present, size: tl.constexpr, plan: tl.constexpr):
    """Sums over units j of their vectors at ``source`` with weights (R, Kp, Kp): for each k one, stored at ``to``.

    All but the weights are (R, Kp): pointers, whether there is a vector, and whether to store a sum.
    """
    for start in range(0, size, plan.part):
        e = start + tl.arange(0, plan.part)[None, None, :]
        vector = tl.load(source[:, :, None] + e, mask=there[:, :, None] & (e < size), other=0.0)
        total = tl.sum(weight[:, :, :, None] * vector[:, None, :, :], 2)
        tl.store(to[:, :, None] + e, total, mask=present[:, :, None] & (e < size))


@triton.jit
def weigh_units(a, row, b, mine, head, plan: tl.constexpr):
    """Attention of the units to each other with one head, (R, Kp, Kp)."""
    there, pair = all_pairs(row, mine, head, plan)
    query = vectors(a.projected, b, plan.projected, plan) + head * plan.comm_key
    key = query + plan.comm_heads * plan.comm_key
    score = pair_products(query[:, :, None], key[:, None, :], there, plan.comm_key, plan) * plan.scale
    if plan.top_k > 0:
        ahead = count_ahead(tl.reshape(score, (plan.rows * plan.padded, plan.padded)), plan)
        kept = tl.reshape(ahead, (plan.rows, plan.padded, plan.padded)) < plan.top_k
        score = tl.where(kept, score, float("-inf"))
    score = tl.where(tl.arange(0, plan.padded)[None, None, :] < plan.units, score, float("-inf"))
    weight = tl.exp(score - tl.max(score, 2)[:, :, None])
    weight = weight / tl.sum(weight, 2)[:, :, None]
    tl.store(a.comm_attention + pair, weight, mask=there)
    return weight


@triton.jit
def read_units(a, weight, b, mine, head, to, present, plan: tl.constexpr):
    """What the units read from each other with one head, to vectors (V) at ``to`` where ``present``, (R, Kp)."""
    offset = 2 * plan.comm_heads * plan.comm_key + head * plan.comm_value
    there = all_units(mine, plan)
    value = vectors(a.projected, b, plan.projected, plan) + offset
    mix(weight, value, there, to + head * plan.comm_value, present, plan.comm_value, plan)


@triton.jit
def updates(a, read, present, row, k, n, inside, plan: tl.constexpr):
    """What unit k is to add in columns n, from what it read, after dropout; its gate; and the dropout mask."""
    weight = a.out_weight + n
    if plan.gated:
        added, gate, _, _ = products(read, present, weight, n < plan.size, plan.values, plan.update, plan.size, 2, plan)
        added += tl.load(a.out_bias + n, mask=n < plan.size, other=0.0)[None, :]
        gate += tl.load(a.out_bias + plan.size + n, mask=n < plan.size, other=0.0)[None, :]
    else:
        weight += k * (plan.values * plan.size)
        added, gate, _, _ = products(read, present, weight, n < plan.size, plan.values, plan.size, 0, 1, plan)
    dropped = tl.zeros_like(added) + 1
    if a.comm_mask is not None:
        dropped = load_rows(a.comm_mask + (row * plan.units + k) * plan.size, n, inside)
    return added * dropped, gate, dropped


@triton.jit
def listen(a, h_new, row, b, mine, k, plan: tl.constexpr):
    """Add to the states of unit k, where it is active, what it read from the others."""
    on = is_active(a, row, mine, k, plan)
    unit = b * plan.units + k
    for start in range(0, plan.size, plan.columns):
        n, inside = tile(start, plan.size, on, plan)
        added, gate, dropped = updates(a, a.read + unit * plan.values, on, row, k, n, inside, plan)
        if plan.gated:
            added = tanh(added) * tl.sigmoid(gate)
        candidate = load_rows(h_new + unit * plan.size, n, inside)
        store_rows(h_new + unit * plan.size, n, candidate + added, inside)


@triton.jit
def listen_backward(a, slots, row, b, mine, k, plan: tl.constexpr):
    """To the update of unit k, from the gradient of its new state."""
    on = is_active(a, row, mine, k, plan)
    place, has = places(a, slots, row, mine, k, plan)
    leaving = a.grad_update + place * plan.update
    for start in range(0, plan.size, plan.columns):
        n, inside = tile(start, plan.size, on, plan)
        added, gate, dropped = updates(a, a.read + place * plan.values, on, row, k, n, inside, plan)
        grad = load_rows(a.grad_candidate + (b * plan.units + k) * plan.size, n, inside)
        if plan.gated:
            added, gate = tanh(added), tl.sigmoid(gate)
            store_rows(leaving + plan.size, n, grad * added * gate * (1 - gate), inside)
            grad = grad * gate * (1 - added * added)
        store_rows(leaving, n, grad * dropped, inside)


@triton.jit
def read_backward(a, slots, row, b, mine, k, plan: tl.constexpr):
    """From the update of unit k to what it read, in ``grad_read`` (B, K, V); 0 where it is not active."""
    on = is_active(a, row, mine, k, plan)
    place, has = places(a, slots, row, mine, k, plan)
    update = a.grad_update + place * plan.update
    for start in range(0, plan.values, plan.columns):
        n, inside = tile(start, plan.values, mine, plan)
        weight = a.out_weight + n * plan.update
        if not plan.gated:
            weight += k * (plan.values * plan.size)
        total = products(update, on, weight, n < plan.values, plan.update, 1, 0, 1, plan)[0]
        store_rows(a.grad_read + (b * plan.units + k) * plan.values, n, total, inside)


@triton.jit
def weigh_units_backward(a, row, b, mine, head, plan: tl.constexpr):
    """From what the units read with one head to queries, keys and values."""
    there, pair = all_pairs(row, mine, head, plan)
    here = all_units(mine, plan)
    shown, leaving = vectors(a.projected, b, plan.projected, plan), vectors(a.grad_project, row, plan.projected, plan)
    query, key = head * plan.comm_key, (plan.comm_heads + head) * plan.comm_key
    value = 2 * plan.comm_heads * plan.comm_key + head * plan.comm_value
    arriving = vectors(a.grad_read, b, plan.values, plan) + head * plan.comm_value
    weight = tl.load(a.comm_attention + pair, mask=there, other=0.0)
    grad = pair_products(arriving[:, :, None], (shown + value)[:, None, :], there, plan.comm_value, plan)
    score = weight * (grad - tl.sum(weight * grad, 2)[:, :, None]) * plan.scale
    mix(score, shown + key, here, leaving + query, here, plan.comm_key, plan)
    mix(tl.permute(score, (0, 2, 1)), shown + query, here, leaving + key, here, plan.comm_key, plan)
    mix(tl.permute(weight, (0, 2, 1)), arriving, here, leaving + value, here, plan.comm_value, plan)


@triton.jit
def project_backward(a, slots, row, b, mine, k, plan: tl.constexpr):
    """Through the projections to what unit k showed: its candidate, or its old state."""
    on = is_active(a, row, mine, k, plan)[:, None]
    _, has = places(a, slots, row, mine, k, plan)
    unit = (b * plan.units + k) * plan.size
    arriving = a.grad_project + (row * plan.units + k) * plan.projected
    for start in range(0, plan.size, plan.columns):
        n, shown = tile(start, plan.size, has, plan)
        weight = a.project + (k * plan.size + n) * plan.projected
        total = products(arriving, has, weight, n < plan.size, plan.projected, 1, 0, 1, plan)[0]
        if plan.committed:
            kept = shown & (on == 0)
            store_rows(a.grad_h + unit, n, total + load_rows(a.grad_h + unit, n, kept), kept)
            shown = shown & on
        store_rows(a.grad_candidate + unit, n, total + load_rows(a.grad_candidate + unit, n, shown), shown)


@triton.jit
def communicate(a, source, h_new, row, b, mine, plan: tl.constexpr):
    """The units show ``source`` to each other, and active ones add to their new states what they read."""
    for k in range(plan.units):
        project(a, source, b, mine, k, plan)
    tl.debug_barrier()
    for head in range(plan.comm_heads):
        weight = weigh_units(a, row, b, mine, head, plan)
        read_units(a, weight, b, mine, head, vectors(a.read, b, plan.values, plan), all_units(mine, plan), plan)
    tl.debug_barrier()
    for k in range(plan.units):
        listen(a, h_new, row, b, mine, k, plan)


@triton.jit
def communicate_backward(a, slots, source, row, b, mine, plan: tl.constexpr):
    """From the gradients of the candidates to those of what the units showed."""
    for k in range(plan.units):
        project(a, source, b, mine, k, plan)
    tl.debug_barrier()
    k, there = tl.arange(0, plan.padded)[None, :], all_units(mine, plan)
    place, has = places(a, slots, row[:, None], there, k, plan)
    on = is_active(a, row[:, None], there, k, plan)
    for head in range(plan.comm_heads):
        both, pair = all_pairs(row, mine, head, plan)
        weight = tl.load(a.comm_attention + pair, mask=both, other=0.0)
        read_units(a, weight, b, mine, head, a.read + place * plan.values, on, plan)
    tl.debug_barrier()
    for k in range(plan.units):
        listen_backward(a, slots, row, b, mine, k, plan)
    tl.debug_barrier()
    for k in range(plan.units):
        read_backward(a, slots, row, b, mine, k, plan)
    tl.debug_barrier()
    for head in range(plan.comm_heads):
        weigh_units_backward(a, row, b, mine, head, plan)
    tl.debug_barrier()
    for k in range(plan.units):
        project_backward(a, slots, row, b, mine, k, plan)


# ---- kernels -------------------------------------------------------------------------------------------------------


@triton.jit
def own_sequences(batch, plan: tl.constexpr):
    """The program's sequences, int64, and which of them there are: (R)."""
    b = tl.cast(tl.program_id(0), tl.int64) * plan.rows + tl.arange(0, plan.rows)
    return b, b < batch


@triton.jit
def talks_now(a, t):
    """Whether the units communicate at step t."""
    talks = t >= 0
    if a.talks is not None:
        talks = tl.load(a.talks + t) != 0
    return talks


@triton.jit
def clear(rows, mine, count: tl.constexpr, plan: tl.constexpr):
    """Set ``count`` entries at pointers ``rows`` (R) to 0."""
    for start in range(0, count, plan.columns):
        n, inside = tile(start, count, mine, plan)
        store_rows(rows, n, tl.zeros((plan.rows, plan.columns), plan.wide), inside)


@triton.jit
def split_gradient(a, row, b, mine, plan: tl.constexpr):
    """The gradient of the new state goes to the candidate of an active unit, to the old state of another."""
    count: tl.constexpr = plan.units * plan.size
    for start in range(0, count, plan.columns):
        n, inside = tile(start, count, mine, plan)
        grad = load_rows(a.grad_h + b * count, n, inside)
        if a.grad_output is not None:
            grad += load_rows(a.grad_output + row * count, n, inside)
        on = is_active(a, row[:, None], inside, (n // plan.size)[None, :], plan)
        store_rows(a.grad_candidate + b * count, n, tl.where(on, grad, 0.0), inside)
        store_rows(a.grad_h + b * count, n, tl.where(on, 0.0, grad), inside)


@triton.jit(do_not_specialize=["steps", "batch", "keeps_c", "keeps_source"])
def forward_kernel(a, steps, batch, keeps_c, keeps_source, plan: tl.constexpr):
    """Some sequences through all steps of a chunk."""
    b, mine = own_sequences(batch, plan)
    step = tl.cast(batch, tl.int64) * (plan.units * plan.size)
    for t in range(steps):
        row, now = tl.cast(t, tl.int64) * batch + b, t * step
        h, h_new = before(a.h0, a.h, t, step), a.h + now
        c, c_new, source = h, h_new, h_new
        if not plan.gru:
            c, c_new = before(a.c0, a.c, t, step * keeps_c), a.c + now * keeps_c
        if plan.communicates:
            source = a.source + now * keeps_source
        attend(a, h, row, b, mine, plan)
        tl.debug_barrier()
        for k in range(plan.units):
            propose(a, source, h, c, h_new, c_new, row, b, mine, k, plan)
        tl.debug_barrier()
        if plan.communicates:
            if talks_now(a, t):
                communicate(a, source, h_new, row, b, mine, plan)
            else:
                count: tl.constexpr = plan.comm_heads * plan.units * plan.units
                clear(a.comm_attention + row * count, mine, count, plan)
            tl.debug_barrier()


@triton.jit(do_not_specialize=["steps", "batch", "slots"])
def backward_kernel(a, steps, batch, slots, plan: tl.constexpr):
    """Some sequences through all steps of a chunk, backwards."""
    b, mine = own_sequences(batch, plan)
    step = tl.cast(batch, tl.int64) * (plan.units * plan.size)
    for i in range(steps):
        t = steps - 1 - i
        row, now = tl.cast(t, tl.int64) * batch + b, t * step
        h = before(a.h0, a.h, t, step)
        c = h
        if not plan.gru:
            c = before(a.c0, a.c, t, step)
        split_gradient(a, row, b, mine, plan)
        tl.debug_barrier()
        if plan.communicates:
            if talks_now(a, t):
                communicate_backward(a, slots, a.source + now, row, b, mine, plan)
            else:
                count: tl.constexpr = plan.units * plan.projected
                clear(a.grad_project + row * count, mine, count, plan)
            tl.debug_barrier()
        for k in range(plan.units):
            propose_backward(a, slots, h, c, row, b, mine, k, plan)
        tl.debug_barrier()
        if plan.attends:
            attend_backward(a, slots, row, b, mine, plan)
            tl.debug_barrier()
        for k in range(plan.units):
            state_backward(a, slots, h, row, b, mine, k, plan)
        tl.debug_barrier()
