// What Python hands over: sizes, and where the arrays lie.
#pragma once

#include <cstdint>

extern "C" {

// Sizes and choices. Python fills these structures in the order of their fields.
struct Sizes {
    int64_t steps, batch, units, size, gates, heads, elements;
    int64_t comm_heads, comm_key, comm_value, num_active, top_k, threads;
    int64_t gru, attends, competes, communicates, gated, committed, open;
    int64_t gates_head, gates_unit, gates_row;  // strides of `gates`
    int64_t keys_head, keys_row;                // strides of `keys`
    int64_t c_step;                             // steps of c lie this far apart; 0: only the last is kept
    int64_t slots;                              // rows of a unit in the gradient buffers
    int64_t value_size, values_head;            // R, and the stride of `values` over heads (0: shared)
};

// Row (t, b) of a chunk of steps is row t*B + b. Units K of size D, G gates, E = heads * elements.
struct Arrays {
    const void* gates;         // input's share of the gates (heads, K, T*B*N, G*D), by the strides above
    const void* keys;          // input's share of the scores (heads, T*B*N, K*D)
    const void* h0;            // (B, K, D)
    const void* c0;            // (B, K, D)
    const void* weight_hh;     // (K, D, G*D)
    const void* weight_hh_t;   // (K, G*D, D), backward only
    const void* bias_ih;       // (K, G*D) or null; LSTM: the sum of both
    const void* bias_hh;       // (K, G*D) or null; GRU only
    const void* project;       // (K, D, P): query, key and value of the communication
    const void* project_t;     // (K, P, D), backward only
    const void* out_weight;    // gated (V, 2D), residual (K, V, D)
    const void* out_weight_t;  // its transpose, backward only
    const void* out_bias;      // gated (2D)
    const void* comm_mask;     // (T, B, K, D) or null
    const uint8_t* update;     // (T, B) or null
    const uint8_t* talks;      // (T) or null: whether this step communicates
    void* h;                   // (T, B, K, D)
    void* c;                   // (T, B, K, D)
    void* attention;           // (T, B, K, E)
    void* comm_attention;      // (T, B, Hc, K, K) or null
    void* source;              // (T, B, K, D) or null: what units show to each other
    uint8_t* active;           // (T, B, K)
    // backward only
    const int32_t* slot;      // (T, B, K): the row's place in its unit's gradient buffers; -1: no gradient
    const void* grad_output;  // (T, B, K, D) or null
    void* grad_h;             // (B, K, D): in, of the last state; out, of the first
    void* grad_c;             // (B, K, D)
    void* grad_gates;         // (K, slots, G*D)
    void* grad_hidden_gates;  // (K, slots, G*D); LSTM: the same as grad_gates
    void* grad_keys;          // (heads, T*B*N, K*D), contiguous
    void* grad_project;       // (T, B, K, P); a unit without slot has one too, for the weights
    void* grad_update;        // (K, slots, W): W = 2D gated, D residual
    void* read;               // (K, slots, V): what units read from each other
    // gradients of weights and input only
    const void* values;          // (heads or 1, T*B*N, R): what the cells' input weights are multiplied with
    const void* value_weight_t;  // (heads, K, G*D, R)
    const void* read_mask;       // (T, B, K, heads*R) or null
    void* total_values;          // as values; all of these are added to
    void* total_value_weight;    // (heads, K, R, G*D)
    void* total_weight_hh;       // (K, D, G*D)
    void* total_bias_ih;         // (K, G*D) or null
    void* total_bias_hh;         // (K, G*D) or null
    void* total_project;         // (K, D, P)
    void* total_out_weight;      // as out_weight
    void* total_out_bias;        // as out_bias
};
}

// Sizes that follow from the others, by their letters in kernel.py.
struct Letters {
    const long K, D, GD, E, P, V, W;

    explicit Letters(const Sizes& s)
        : K(s.units),
          D(s.size),
          GD(s.gates * s.size),
          E(s.heads * s.elements),
          P(s.comm_heads * (2 * s.comm_key + s.comm_value)),
          V(s.comm_heads * s.comm_value),
          W(s.gated ? 2 * D : D) {}
};

template <typename T>
const T* at(const void* array, long offset) {
    return array ? static_cast<const T*>(array) + offset : nullptr;
}
template <typename T>
T* at(void* array, long offset) {
    return array ? static_cast<T*>(array) + offset : nullptr;
}
