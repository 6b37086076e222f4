// The RIM recurrence on a processor: what Python calls. README.md has the algebra.
//
// Sequences of a batch do not meet, so each thread takes some of them through all steps of a chunk without waiting for
// another. What does not depend on the state, the input's share of gates and scores, Python forms by large products.

#include <algorithm>

#include "loop.h"
#include "totals.h"

namespace {

constexpr long BLOCK = 64;  // sequences that a thread takes through time together, at most

template <typename T>
void run(const Sizes& s, const Arrays& a, bool backward) {
    const long blocks = std::max<long>((s.batch + BLOCK - 1) / BLOCK, std::min<long>(s.threads, s.batch));
#pragma omp parallel for schedule(dynamic, 1) num_threads(s.threads)
    for (long i = 0; i < blocks; ++i) {
        const long first = s.batch * i / blocks, last = s.batch * (i + 1) / blocks;
        if (first == last) continue;
        Block<T> block(s, a, first, last - first, backward);
        backward ? block.backward() : block.forward();
    }
}

}  // namespace

extern "C" {
void rim_forward_float(const Sizes* s, const Arrays* a) { run<float>(*s, *a, false); }
void rim_forward_double(const Sizes* s, const Arrays* a) { run<double>(*s, *a, false); }
void rim_backward_float(const Sizes* s, const Arrays* a) { run<float>(*s, *a, true); }
void rim_backward_double(const Sizes* s, const Arrays* a) { run<double>(*s, *a, true); }
void rim_totals_float(const Sizes* s, const Arrays* a) { add_totals<float>(*s, *a); }
void rim_totals_double(const Sizes* s, const Arrays* a) { add_totals<double>(*s, *a); }
}
