// Gradients of weights and input, summed over a chunk after its loop.
#pragma once

#include <algorithm>

#include "arrays.h"
#include "product.h"

// Gradients of weights and input after the loop: sums over all rows that have a gradient.
template <typename T>
struct Totals : Letters {
    const Sizes& s;
    const Arrays& a;
    const long R;

    Totals(const Sizes& s, const Arrays& a) : Letters(s), s(s), a(a), R(s.value_size) {}

    long rows() const { return s.steps * s.batch; }
    long slot(long row, long k) const { return a.slot[row * K + k]; }
    const T* h_before(long row, long k) const {
        const T* all =
            row < s.batch ? at<T>(a.h0, row * K * D) : at<T>(static_cast<const void*>(a.h), (row - s.batch) * K * D);
        return all + k * D;
    }
    const T* buffer(const void* all, long row, long k, long width) const {
        return at<T>(all, (k * s.slots + slot(row, k)) * width);
    }
    T weight(long row, long k, long e) const { return at<T>(a.attention, (row * K + k) * E)[e]; }
    const T* values(long row, long e) const {
        return at<T>(a.values, e / s.elements * s.values_head + (row * s.elements + e % s.elements) * R);
    }
    const T* mask(long row, long k, long e) const {
        return at<T>(a.read_mask, (row * K + k) * s.heads * R + e / s.elements * R);
    }

    // Columns [first, last) of total += the sum of left(row)^T right(row), over the rows where `has`. fill(row, to)
    // writes a left row of `height` numbers, right(row) points to the other side.
    template <typename Has, typename Fill, typename Right>
    void add(T* total, long height, long columns, long first, long last, Has has, Fill fill, Right right) const {
        const long width = whole_tiles(height);
        Aligned<T> left(OUTER_ROWS * width);
        const T* other[OUTER_ROWS];
        for (long row = 0; row < rows();) {
            long count = 0;
            for (; row < rows() && count < OUTER_ROWS; ++row) {
                if (!has(row)) continue;
                fill(row, left.data() + count * width);
                other[count++] = right(row);
            }
            add_outer(total, columns, height, left.data(), other, count, first, last);
        }
    }

    // Each adds some columns of the gradient of unit k's weights.
    void value_weight(long k, long head, long first, long last) const {
        for (long e = head * s.elements; e < (head + 1) * s.elements; ++e)
            add(
                at<T>(a.total_value_weight, (head * K + k) * R * GD), R, GD, first, last,
                [&](long row) { return slot(row, k) >= 0; },
                [&](long row, T* to) { scaled(row, k, e, values(row, e), to); },
                [&](long row) { return buffer(a.grad_gates, row, k, GD); });
    }
    void scaled(long row, long k, long e, const T* from, T* to) const {
        const T scale = weight(row, k, e), *dropped = mask(row, k, e);
        if (dropped)
            for (long j = 0; j < R; ++j) to[j] = scale * from[j] * dropped[j];
        else
            for (long j = 0; j < R; ++j) to[j] = scale * from[j];
    }
    void weight_hh(long k, long first, long last) const {
        add(
            at<T>(a.total_weight_hh, k * D * GD), D, GD, first, last, [&](long row) { return slot(row, k) >= 0; },
            [&](long row, T* to) { std::copy_n(h_before(row, k), D, to); },
            [&](long row) { return buffer(a.grad_hidden_gates, row, k, GD); });
    }
    void project(long k, long first, long last) const {
        const void *source = a.source, *grad = a.grad_project;
        add(
            at<T>(a.total_project, k * D * P), D, P, first, last, [](long) { return true; },
            [&](long row, T* to) { std::copy_n(at<T>(source, (row * K + k) * D), D, to); },
            [&](long row) { return at<T>(grad, (row * K + k) * P); });
    }
    void out_weight(long k, long first, long last) const {
        add(
            at<T>(a.total_out_weight, s.gated ? 0 : k * V * W), V, W, first, last,
            [&](long row) { return slot(row, k) >= 0; },
            [&](long row, T* to) { std::copy_n(buffer(a.read, row, k, V), V, to); },
            [&](long row) { return buffer(a.grad_update, row, k, W); });
    }
    void biases(long k) const {
        for (long row = 0; row < rows(); ++row) {
            if (slot(row, k) < 0) continue;
            if (a.total_bias_ih) add_scaled(at<T>(a.total_bias_ih, k * GD), T(1), buffer(a.grad_gates, row, k, GD), GD);
            if (a.total_bias_hh)
                add_scaled(at<T>(a.total_bias_hh, k * GD), T(1), buffer(a.grad_hidden_gates, row, k, GD), GD);
        }
    }
    void out_bias() const {
        for (long row = 0; row < rows(); ++row)
            for (long k = 0; k < K; ++k)
                if (slot(row, k) >= 0)
                    add_scaled(at<T>(a.total_out_bias, 0), T(1), buffer(a.grad_update, row, k, W), W);
    }

    // Gradient of the values at rows [first, last).
    void values_of(long first, long last) const {
        Aligned<T> room(OUTER_ROWS * R), factor(R);
        T* to[OUTER_ROWS];
        const T* from[OUTER_ROWS];
        long which[OUTER_ROWS];
        for (long i = 0; i < OUTER_ROWS; ++i) to[i] = room.data() + i * R;
        for (long k = 0; k < K; ++k) {
            for (long head = 0; head < s.heads; ++head) {
                const Matrix<T> matrix{at<T>(a.value_weight_t, (head * K + k) * GD * R), GD, R};
                for (long row = first; row < last;) {
                    long count = 0;
                    for (; row < last && count < OUTER_ROWS; ++row) {
                        if (slot(row, k) < 0) continue;
                        from[count] = buffer(a.grad_gates, row, k, GD);
                        which[count++] = row;
                    }
                    product(to, from, count, matrix);
                    for (long i = 0; i < count; ++i) spread(which[i], k, head, to[i], factor.data());
                }
            }
        }
    }
    // Adds what arrives at a unit's read to the elements it read.
    void spread(long row, long k, long head, T* grad, T* room) const {
        for (long e = head * s.elements; e < (head + 1) * s.elements; ++e) {
            T* total =
                const_cast<T*>(at<T>(static_cast<const void*>(a.total_values), values(row, e) - at<T>(a.values, 0)));
            if (!a.read_mask) {
                add_scaled(total, weight(row, k, e), grad, R);
            } else {
                scaled(row, k, e, grad, room);
                add_scaled(total, T(1), room, R);
            }
        }
    }
};

// Calls f(matrix, first, last) for parts of the columns of every matrix: enough parts to occupy the threads.
template <typename T, typename F>
void each_part(long matrices, long columns, long threads, F f) {
    const long vectors = (columns + LANES<T> - 1) / LANES<T>;
    const long parts = std::min(vectors, (2 * threads + matrices - 1) / matrices);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (long i = 0; i < matrices * parts; ++i) {
        const long part = i % parts, first = vectors * part / parts * LANES<T>;
        f(i / parts, first, std::min(columns, vectors * (part + 1) / parts * LANES<T>));
    }
}

template <typename T>
void add_totals(const Sizes& s, const Arrays& a) {
    const Totals<T> totals(s, a);
    each_part<T>(s.units * s.heads, totals.GD, s.threads,
                 [&](long i, long first, long last) { totals.value_weight(i % s.units, i / s.units, first, last); });
    each_part<T>(s.units, totals.GD, s.threads,
                 [&](long k, long first, long last) { totals.weight_hh(k, first, last); });
    if (s.communicates) {
        each_part<T>(s.units, totals.P, s.threads,
                     [&](long k, long first, long last) { totals.project(k, first, last); });
        each_part<T>(s.gated ? 1 : s.units, totals.W, s.threads, [&](long i, long first, long last) {
            for (long k = i; k < (s.gated ? s.units : i + 1); ++k) totals.out_weight(k, first, last);
        });
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(s.threads)
    for (long k = 0; k <= s.units; ++k) {
        if (k < s.units) totals.biases(k);
        if (k == s.units && a.total_out_bias) totals.out_bias();
    }
    const long blocks = 2 * s.threads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s.threads)
    for (long i = 0; i < blocks; ++i) totals.values_of(totals.rows() * i / blocks, totals.rows() * (i + 1) / blocks);
}
