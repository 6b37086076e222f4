// The steps of a chunk for some sequences, forwards and backwards.
#pragma once

#include <algorithm>
#include <vector>

#include "arrays.h"
#include "product.h"

template <typename T>
void prefetch(const T* from, long size) {
    for (long j = 0; from && j < size; j += 64 / sizeof(T)) __builtin_prefetch(from + j, 0, 2);
}

// A block of sequences on its way through a chunk of steps.
template <typename T>
struct Block : Letters {
    const Sizes& s;
    const Arrays& a;
    const long first, count;  // sequences
    const T scale;  // of communication scores
    Aligned<T> gates, input_gates, zeros, few, projected, read, grad_read, update, grad_candidate, shown;
    std::vector<T*> to;
    std::vector<const T*> from;
    std::vector<long> rows;

    Block(const Sizes& s, const Arrays& a, long first, long count, bool backward)
        : Letters(s),
          s(s),
          a(a),
          first(first),
          count(count),
          scale(T(1) / std::sqrt(T(std::max<int64_t>(s.comm_key, 1)))),
          gates(count * GD),
          input_gates(GD),
          zeros(GD),
          few(std::max(K, E)),
          projected(count * K * P),
          read(count * K * V),
          update(count * W),
          to(count),
          from(count) {
        rows.reserve(count);
        if (backward) {
            grad_read.resize(count * K * V);
            grad_candidate.resize(count * K * D);
        } else if (!a.source) {
            shown.resize(count * K * D);
        }
    }

    // Offset of unit k of sequence b (counted in the block) in a (B, K, D) array, and the row of (t, b).
    long unit(long b, long k) const { return ((first + b) * K + k) * D; }
    long row(long t, long b) const { return t * s.batch + first + b; }
    bool active(long t, long b, long k) const { return a.active[row(t, b) * K + k]; }
    bool talks(long t) const { return s.communicates && (!a.talks || a.talks[t]); }
    long slot(long t, long b, long k) const { return a.slot[row(t, b) * K + k]; }
    long place(long t, long b, long k) const { return k * s.slots + slot(t, b, k); }

    // The k-th of several matrices.
    static Matrix<T> matrix(const void* all, long k, long inner, long columns) {
        return {at<T>(all, k * inner * columns), inner, columns};
    }

    T* h(long t) { return at<T>(a.h, t * s.batch * K * D); }
    T* c(long t) { return at<T>(a.c, t * s.c_step); }
    const T* h_before(long t) { return t ? h(t - 1) : at<T>(a.h0, 0); }
    const T* c_before(long t) { return t ? c(t - 1) : at<T>(a.c0, 0); }
    T* source(long t, long b, long k) {
        return a.source ? at<T>(a.source, t * s.batch * K * D + unit(b, k)) : shown.data() + (b * K + k) * D;
    }
    T* attention(long t, long b, long k) { return at<T>(a.attention, (row(t, b) * K + k) * E); }
    T* comm_attention(long t, long b) { return at<T>(a.comm_attention, row(t, b) * s.comm_heads * K * K); }
    const T* input(long t, long b, long k, long e) {
        const long head = e / s.elements, element = row(t, b) * s.elements + e % s.elements;
        return at<T>(a.gates, head * s.gates_head + k * s.gates_unit + element * s.gates_row);
    }
    const T* key(long t, long b, long k, long e) {
        const long head = e / s.elements, element = row(t, b) * s.elements + e % s.elements;
        return at<T>(a.keys, head * s.keys_head + element * s.keys_row + k * D);
    }

    // ---- forward -----------------------------------------------------------------------------------------------

    void forward() {
        for (long t = 0; t < s.steps; ++t) {
            for (long b = 0; b < count; ++b) attend(t, b);
            for (long k = 0; k < K; ++k) propose(t, k);
            if (talks(t)) {
                project(t);
                for (long b = 0; b < count; ++b) {
                    weigh_units(t, b);
                    read_units(t, b);
                }
                for (long k = 0; k < K; ++k) listen(t, k);
            } else if (a.comm_attention) {
                for (long b = 0; b < count; ++b) std::fill_n(comm_attention(t, b), s.comm_heads * K * K, T(0));
            }
        }
    }

    // Attention of every unit to the input, and the choice of the active ones.
    void attend(long t, long b) {
        uint8_t* chosen = a.active + row(t, b) * K;
        Aligned<T>& rank = few;
        for (long k = 0; k < K; ++k) {
            T* weight = attention(t, b, k);
            rank[k] = 0;
            if (!s.attends) std::fill_n(weight, E, T(1) / s.elements);
            for (long head = 0; s.attends && head < s.heads; ++head)
                rank[k] += attend_head(t, b, k, head, weight + head * s.elements);
        }
        const bool updates = !a.update || a.update[row(t, b)];
        for (long k = 0; k < K; ++k) chosen[k] = updates && (!s.competes || better(rank.data(), K, k) < s.num_active);
    }

    // Softmax over the null element's 0 and the scores of one head; returns how it ranks the unit.
    T attend_head(long t, long b, long k, long head, T* weight) {
        const T* state = h_before(t) + unit(b, k);
        const long n = s.elements;
        T largest = 0;
        for (long i = 0; i < n; ++i) {
            weight[i] = dot(state, key(t, b, k, head * n + i), D);
            largest = std::max(largest, weight[i]);
        }
        T level = weight[0];  // logsumexp of the scores
        if (n == 1) {
            weight[0] = 1 / (1 + std::exp(-weight[0]));
        } else {
            const T top = *std::max_element(weight, weight + n);
            T total = 0;
            for (long i = 0; i < n; ++i) total += std::exp(weight[i] - top);
            level = top + std::log(total);
            total = std::exp(-largest);
            for (long i = 0; i < n; ++i) total += weight[i] = std::exp(weight[i] - largest);
            for (long i = 0; i < n; ++i) weight[i] /= total;
        }
        return std::tanh(level / 2);
    }

    // How many of `values` come before entry k in a stable descending order (NaN first, as in torch.sort).
    static long better(const T* values, long size, long k) {
        long ahead = 0;
        for (long j = 0; j < size; ++j) {
            const bool larger = values[j] > values[k] || (std::isnan(values[j]) && !std::isnan(values[k]));
            const bool smaller = values[j] < values[k] || (std::isnan(values[k]) && !std::isnan(values[j]));
            ahead += larger || (!smaller && j < k);
        }
        return ahead;
    }

    // Candidate states of unit k, and their commitment where it is active (before communication).
    void propose(long t, long k) {
        rows.clear();
        for (long b = 0; b < count; ++b)
            if (!s.committed || active(t, b, k)) rows.push_back(b);
        hidden_gates(t, k);
        for (size_t i = 0; i < rows.size(); ++i) {
            const long b = rows[i];
            const Gates gate = sum_gates(t, b, k, to[i]);
            if (s.gru)
                gru(gate, h_before(t) + unit(b, k), source(t, b, k));
            else
                lstm(gate, c_before(t) + unit(b, k), source(t, b, k), active(t, b, k) ? c(t) + unit(b, k) : nullptr);
        }
        for (long b = 0; b < count; ++b) {
            const bool on = active(t, b, k);
            const T* old = h_before(t) + unit(b, k);
            if (s.committed && !on) std::copy_n(old, D, source(t, b, k));
            std::copy_n(on ? source(t, b, k) : old, D, h(t) + unit(b, k));
            if (!s.gru && !on && c_before(t) != c(t)) std::copy_n(c_before(t) + unit(b, k), D, c(t) + unit(b, k));
        }
    }

    // to[i] = h Whh of the sequences in `rows`; meanwhile their input arrives in the cache.
    void hidden_gates(long t, long k) {
        for (size_t i = 0; i < rows.size(); ++i) {
            to[i] = gates.data() + i * GD;
            from[i] = h_before(t) + unit(rows[i], k);
            prefetch(input(t, rows[i], k, 0), GD);
        }
        product(to.data(), from.data(), rows.size(), matrix(a.weight_hh, k, D, GD));
    }

    // A unit's gates in two sums: hidden + hidden_bias and other + weight * input + bias.
    struct Gates {
        const T *hidden, *other, *input, *bias, *hidden_bias;
        const T weight;

        Vector<T> from_hidden(long j, long n) const { return load(hidden + j, n) + load(hidden_bias + j, n); }
        Vector<T> from_input(long j, long n) const {
            return load(other + j, n) + weight * load(input + j, n) + load(bias + j, n);
        }
        // LSTM: `other` is the hidden part, and there is one bias.
        Vector<T> total(long j, long n) const { return from_input(j, n); }
    };

    // Adds the input's share, all but its first element, and says where the rest is.
    Gates sum_gates(long t, long b, long k, T* hidden) {
        const T *weight = attention(t, b, k), *bias = at<T>(a.bias_ih, k * GD), *hidden_bias = at<T>(a.bias_hh, k * GD);
        T* total = s.gru ? input_gates.data() : hidden;
        if (s.gru) std::fill_n(total, GD, T(0));
        for (long e = 1; e < E; ++e) add_scaled(total, weight[e], input(t, b, k, e), GD);
        const T* none = zeros.data();
        return {hidden, total, input(t, b, k, 0), bias ? bias : none, hidden_bias ? hidden_bias : none, weight[0]};
    }

    void lstm(const Gates& gate, const T* c_old, T* h_new, T* c_new) {
        for (long j = 0; j < D; j += LANES<T>) {
            const long n = D - j;
            const auto i = sigmoid(gate.total(j, n)), f = sigmoid(gate.total(D + j, n));
            const auto g = hyperbolic_tangent(gate.total(2 * D + j, n)), o = sigmoid(gate.total(3 * D + j, n));
            const Vector<T> cell = f * load(c_old + j, n) + i * g;
            store<T>(h_new + j, o * hyperbolic_tangent(cell), n);
            if (c_new) store<T>(c_new + j, cell, n);
        }
    }

    void gru(const Gates& gate, const T* h_old, T* h_new) {
        for (long j = 0; j < D; j += LANES<T>) {
            const long m = D - j;
            const auto r = sigmoid(gate.from_input(j, m) + gate.from_hidden(j, m));
            const auto z = sigmoid(gate.from_input(D + j, m) + gate.from_hidden(D + j, m));
            const auto n = hyperbolic_tangent(gate.from_input(2 * D + j, m) + r * gate.from_hidden(2 * D + j, m));
            store<T>(h_new + j, (1 - z) * n + z * load(h_old + j, m), m);
        }
    }

    // Queries, keys and values of all units: `projected` is (block, K, P).
    void project(long t) {
        for (long k = 0; k < K; ++k) {
            for (long b = 0; b < count; ++b) {
                to[b] = projected.data() + (b * K + k) * P;
                from[b] = source(t, b, k);
            }
            product(to.data(), from.data(), count, matrix(a.project, k, D, P));
        }
    }
    const T* query(long b, long k, long head) { return projected.data() + (b * K + k) * P + head * s.comm_key; }
    const T* unit_key(long b, long k, long head) { return query(b, k, s.comm_heads + head); }
    const T* value(long b, long k, long head) {
        return projected.data() + (b * K + k) * P + 2 * s.comm_heads * s.comm_key + head * s.comm_value;
    }

    // Attention of units to units, (Hc, K, K).
    void weigh_units(long t, long b) {
        T* weight = comm_attention(t, b);
        const long all = s.comm_heads * K * K;
        for (long head = 0; head < s.comm_heads; ++head) {
            for (long k = 0; k < K; ++k) {
                T* scores = weight + (head * K + k) * K;
                for (long j = 0; j < K; ++j)
                    scores[j] = dot(query(b, k, head), unit_key(b, j, head), s.comm_key) * scale;
                if (s.top_k) keep_top(scores);
                const T top = *std::max_element(scores, scores + K);
                for (long j = 0; j < K; ++j) scores[j] -= top;
            }
        }
        for (long i = 0; i < all; i += LANES<T>) store<T>(weight + i, exponential(load(weight + i, all - i)), all - i);
        for (long i = 0; i < all; i += K) {
            T total = 0;
            for (long j = 0; j < K; ++j) {
                if (s.top_k && weight[i + j] < T(1e-30)) weight[i + j] = 0;  // exp of minus infinity
                total += weight[i + j];
            }
            for (long j = 0; j < K; ++j) weight[i + j] /= total;
        }
    }
    void keep_top(T* scores) {
        std::vector<T> all(scores, scores + K);
        for (long j = 0; j < K; ++j)
            if (better(all.data(), K, j) >= s.top_k) scores[j] = -INFINITY;
    }

    // What each active unit reads: `read` is (block, K, V).
    void read_units(long t, long b) {
        const T* weight = comm_attention(t, b);
        for (long k = 0; k < K; ++k) {
            if (!active(t, b, k)) continue;
            for (long head = 0; head < s.comm_heads; ++head) {
                T* sum = read.data() + (b * K + k) * V + head * s.comm_value;
                std::fill_n(sum, s.comm_value, T(0));
                for (long j = 0; j < K; ++j)
                    add_scaled(sum, weight[(head * K + k) * K + j], value(b, j, head), s.comm_value);
            }
        }
    }

    // to[i] = the projection of what unit k read, for the sequences in `rows`: those where it is active.
    void project_read(long t, long k) {
        rows.clear();
        for (long b = 0; b < count; ++b)
            if (active(t, b, k)) rows.push_back(b);
        for (size_t i = 0; i < rows.size(); ++i) {
            to[i] = update.data() + i * W;
            from[i] = read.data() + (rows[i] * K + k) * V;
        }
        product(to.data(), from.data(), rows.size(), matrix(a.out_weight, s.gated ? 0 : k, V, W));
    }

    // Adds to the states of unit k what it read from the others.
    void listen(long t, long k) {
        project_read(t, k);
        const T* bias = at<T>(a.out_bias, 0);
        for (size_t i = 0; i < rows.size(); ++i) {
            const long b = rows[i];
            const T* mask = at<T>(a.comm_mask, t * s.batch * K * D + unit(b, k));
            T* state = h(t) + unit(b, k);
            for (long j = 0; j < D; j += LANES<T>) {
                const long n = D - j;
                Vector<T> added = load(to[i] + j, n);
                if (s.gated) added += load(bias + j, n);
                if (mask) added *= load(mask + j, n);
                if (s.gated)
                    added = hyperbolic_tangent(added) * sigmoid(load(to[i] + D + j, n) + load(bias + D + j, n));
                store<T>(state + j, load(state + j, n) + added, n);
            }
        }
    }

    // ---- backward ----------------------------------------------------------------------------------------------

    T* grad_h(long b, long k) { return at<T>(a.grad_h, unit(b, k)); }
    T* grad_c(long b, long k) { return at<T>(a.grad_c, unit(b, k)); }
    T* grad_projected(long t, long b, long k) { return at<T>(a.grad_project, (row(t, b) * K + k) * P); }
    T* candidate_gradient(long b, long k) { return grad_candidate.data() + (b * K + k) * D; }

    void backward() {
        for (long t = s.steps - 1; t >= 0; --t) {
            if (t) expect(t - 1);
            split_gradient(t);
            if (talks(t)) {
                project(t);
                std::fill_n(grad_projected(t, 0, 0), count * K * P, T(0));
                for (long b = 0; b < count; ++b) read_units(t, b);
                for (long k = 0; k < K; ++k) listen_backward(t, k);
                for (long b = 0; b < count; ++b) weigh_units_backward(t, b);
                for (long k = 0; k < K; ++k) project_backward(t, k);
            } else if (s.communicates) {
                std::fill_n(grad_projected(t, 0, 0), count * K * P, T(0));
                for (long k = 0; k < K; ++k) silence(t, k);
            }
            for (long k = 0; k < K; ++k) propose_backward(t, k);
        }
    }

    // Lets what step t needs arrive in the cache while another step runs: going backwards, the processor does not
    // guess.
    void expect(long t) {
        const long step = t * s.batch * K * D + unit(0, 0), size = count * K * D;
        prefetch(at<T>(a.grad_output, step), size);
        prefetch(at<T>(a.source, step), size);
        prefetch(h_before(t) + unit(0, 0), size);
        if (!s.gru) prefetch(c_before(t) + unit(0, 0), size);
        for (long e = 0; s.attends && e < E; e += s.elements) prefetch(key(t, 0, 0, e), size * s.elements);
    }

    // The gradient of the new state goes to the candidate of an active unit, to the old state of another.
    void split_gradient(long t) {
        for (long b = 0; b < count; ++b) {
            for (long k = 0; k < K; ++k) {
                T *state = grad_h(b, k), *candidate = candidate_gradient(b, k);
                if (a.grad_output) add_scaled(state, T(1), at<T>(a.grad_output, t * s.batch * K * D + unit(b, k)), D);
                if (active(t, b, k)) {
                    std::copy_n(state, D, candidate);
                    std::fill_n(state, D, T(0));
                } else {
                    std::fill_n(candidate, D, T(0));
                }
            }
        }
    }

    // Through the update of unit k to what it read.
    void listen_backward(long t, long k) {
        project_read(t, k);
        const T* bias = at<T>(a.out_bias, 0);
        for (size_t i = 0; i < rows.size(); ++i) {
            const long b = rows[i];
            const T *mask = at<T>(a.comm_mask, t * s.batch * K * D + unit(b, k)), *arriving = candidate_gradient(b, k);
            T* leaving = at<T>(a.grad_update, place(t, b, k) * W);
            for (long j = 0; j < D; j += LANES<T>) {
                const long n = D - j;
                const Vector<T> grad = load(arriving + j, n);
                const Vector<T> dropped = mask ? load(mask + j, n) : Vector<T>{} + 1;
                if (s.gated) {
                    const auto update = hyperbolic_tangent((load(to[i] + j, n) + load(bias + j, n)) * dropped);
                    const auto gate = sigmoid(load(to[i] + D + j, n) + load(bias + D + j, n));
                    store<T>(leaving + j, grad * gate * (1 - update * update) * dropped, n);
                    store<T>(leaving + D + j, grad * update * gate * (1 - gate), n);
                } else {
                    store<T>(leaving + j, grad * dropped, n);
                }
            }
            std::copy_n(from[i], V, at<T>(a.read, place(t, b, k) * V));
            from[i] = leaving;
            to[i] = grad_read.data() + (b * K + k) * V;
        }
        product(to.data(), from.data(), rows.size(), matrix(a.out_weight_t, s.gated ? 0 : k, W, V));
        for (long b = 0; b < count; ++b)  // open units that were not active read nothing
            if (!active(t, b, k) && slot(t, b, k) >= 0) silence_update(t, b, k);
    }

    // Through the attention of active units to queries, keys and values.
    void weigh_units_backward(long t, long b) {
        const T* weight = comm_attention(t, b);
        const long key_size = s.comm_key, value_size = s.comm_value;
        Aligned<T>& grad = few;
        for (long k = 0; k < K; ++k) {
            if (!active(t, b, k)) continue;
            T* mine = grad_projected(t, b, k);
            for (long head = 0; head < s.comm_heads; ++head) {
                const T *w = weight + (head * K + k) * K,
                        *arriving = grad_read.data() + (b * K + k) * V + head * value_size;
                T mean = 0;
                for (long j = 0; j < K; ++j) {
                    grad[j] = dot(arriving, value(b, j, head), value_size);
                    mean += w[j] * grad[j];
                }
                for (long j = 0; j < K; ++j) {
                    const T score = w[j] * (grad[j] - mean) * scale;
                    add_scaled(mine + head * key_size, score, unit_key(b, j, head), key_size);
                    T* theirs = grad_projected(t, b, j);
                    add_scaled(theirs + (s.comm_heads + head) * key_size, score, query(b, k, head), key_size);
                    add_scaled(theirs + 2 * s.comm_heads * key_size + head * value_size, w[j], arriving, value_size);
                }
            }
        }
    }

    // Through the projections to what unit k showed.
    void project_backward(long t, long k) {
        rows.clear();
        for (long b = 0; b < count; ++b)
            if (slot(t, b, k) >= 0) rows.push_back(b);
        for (size_t i = 0; i < rows.size(); ++i) {
            from[i] = grad_projected(t, rows[i], k);
            to[i] = gates.data() + i * GD;  // scratch of at least D entries
        }
        product(to.data(), from.data(), rows.size(), matrix(a.project_t, k, P, D));
        for (size_t i = 0; i < rows.size(); ++i) {
            const long b = rows[i];
            const bool kept = s.committed && !active(t, b, k);
            add_scaled(kept ? grad_h(b, k) : candidate_gradient(b, k), T(1), to[i], D);
        }
    }

    // A step without communication leaves no gradient in its buffers.
    void silence(long t, long k) {
        for (long b = 0; b < count; ++b)
            if (slot(t, b, k) >= 0) silence_update(t, b, k);
    }
    void silence_update(long t, long b, long k) {
        std::fill_n(at<T>(a.grad_update, place(t, b, k) * W), W, T(0));
        std::fill_n(at<T>(a.read, place(t, b, k) * V), V, T(0));
    }

    // Through the cell of unit k to the old state, to the gates and to the input attention.
    void propose_backward(long t, long k) {
        rows.clear();
        for (long b = 0; b < count; ++b)
            if (slot(t, b, k) >= 0) rows.push_back(b);
        hidden_gates(t, k);
        for (size_t i = 0; i < rows.size(); ++i) {
            const long b = rows[i];
            T *grad = at<T>(a.grad_gates, place(t, b, k) * GD),
              *hidden = at<T>(a.grad_hidden_gates, place(t, b, k) * GD);
            const Gates gate = sum_gates(t, b, k, to[i]);
            if (s.gru)
                gru_backward(gate, h_before(t) + unit(b, k), candidate_gradient(b, k), grad_h(b, k), grad, hidden);
            else
                lstm_backward(gate, c_before(t) + unit(b, k), candidate_gradient(b, k), grad_c(b, k), active(t, b, k),
                              grad);
            from[i] = hidden;
        }
        product(to.data(), from.data(), rows.size(), matrix(a.weight_hh_t, k, GD, D));
        for (size_t i = 0; i < rows.size(); ++i) add_scaled(grad_h(rows[i], k), T(1), to[i], D);
        for (long b = 0; s.attends && b < count; ++b) attend_backward(t, b, k);
    }

    void lstm_backward(const Gates& gate, const T* c_old, const T* arriving, T* grad_c, bool active, T* leaving) {
        for (long j = 0; j < D; j += LANES<T>) {
            const long n = D - j;
            const auto i = sigmoid(gate.total(j, n)), f = sigmoid(gate.total(D + j, n));
            const auto g = hyperbolic_tangent(gate.total(2 * D + j, n)), o = sigmoid(gate.total(3 * D + j, n));
            const Vector<T> old = load(c_old + j, n), later = load(grad_c + j, n), grad = load(arriving + j, n);
            const auto squashed = hyperbolic_tangent(Vector<T>(f * old + i * g));
            Vector<T> cell = grad * o * (1 - squashed * squashed);
            if (active) cell += later;
            store<T>(leaving + j, cell * g * i * (1 - i), n);
            store<T>(leaving + D + j, cell * old * f * (1 - f), n);
            store<T>(leaving + 2 * D + j, cell * i * (1 - g * g), n);
            store<T>(leaving + 3 * D + j, grad * squashed * o * (1 - o), n);
            store<T>(grad_c + j, active ? cell * f : later + cell * f, n);
        }
    }

    void gru_backward(const Gates& gate, const T* h_old, const T* arriving, T* grad_h, T* leaving, T* leaving_hidden) {
        for (long j = 0; j < D; j += LANES<T>) {
            const long m = D - j;
            const Vector<T> inner = gate.from_hidden(2 * D + j, m), old = load(h_old + j, m),
                            grad = load(arriving + j, m);
            const auto r = sigmoid(gate.from_input(j, m) + gate.from_hidden(j, m));
            const auto z = sigmoid(gate.from_input(D + j, m) + gate.from_hidden(D + j, m));
            const auto n = hyperbolic_tangent(gate.from_input(2 * D + j, m) + r * inner);
            const Vector<T> grad_n = grad * (1 - z) * (1 - n * n), grad_r = grad_n * inner * r * (1 - r);
            const Vector<T> grad_z = grad * (old - n) * z * (1 - z);
            store<T>(leaving + j, grad_r, m), store<T>(leaving_hidden + j, grad_r, m);
            store<T>(leaving + D + j, grad_z, m), store<T>(leaving_hidden + D + j, grad_z, m);
            store<T>(leaving + 2 * D + j, grad_n, m), store<T>(leaving_hidden + 2 * D + j, grad_n * r, m);
            store<T>(grad_h + j, load(grad_h + j, m) + grad * z, m);
        }
    }

    // Through attention and scores to the old state and to the keys; without a slot the keys' gradient is 0.
    void attend_backward(long t, long b, long k) {
        const bool has_gradient = slot(t, b, k) >= 0;
        const T *weight = attention(t, b, k), *state = h_before(t) + unit(b, k);
        const T* grad_gates = has_gradient ? at<T>(a.grad_gates, place(t, b, k) * GD) : nullptr;
        for (long head = 0; head < s.heads; ++head) {
            T* grad = few.data();
            T mean = 0;
            for (long n = 0; n < s.elements; ++n) {
                const long e = head * s.elements + n;
                grad[n] = has_gradient ? dot(grad_gates, input(t, b, k, e), GD) : T(0);
                mean += weight[e] * grad[n];
            }
            for (long n = 0; n < s.elements; ++n) {
                const long e = head * s.elements + n, element = row(t, b) * s.elements + n;
                const T score = weight[e] * (grad[n] - mean);
                T* leaving = at<T>(a.grad_keys, (head * s.steps * s.batch * s.elements + element) * K * D + k * D);
                for (long j = 0; j < D; ++j) leaving[j] = score * state[j];
                if (has_gradient) add_scaled(grad_h(b, k), score, key(t, b, k, e), D);
            }
        }
    }
};
