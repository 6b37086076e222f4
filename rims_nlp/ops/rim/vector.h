// Short vectors of float or double, and the functions of them that a recurrent cell needs. Plain GCC/Clang vector
// types: the compiler maps them to whatever the processor has.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int VECTOR_BYTES = 64, TILE_ROWS = 8, TILE_VECTORS = 3;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, TILE_ROWS = 4, TILE_VECTORS = 3;
#elif defined(__aarch64__)
constexpr int VECTOR_BYTES = 16, TILE_ROWS = 8, TILE_VECTORS = 3;
#else
constexpr int VECTOR_BYTES = 16, TILE_ROWS = 4, TILE_VECTORS = 3;
#endif

template <typename T>
struct VectorOf {
    typedef T type __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};
template <typename T>
using Vector = typename VectorOf<T>::type;
template <typename T>
constexpr long LANES = VECTOR_BYTES / sizeof(T);

template <typename T>
inline Vector<T> load(const T* from) {
    return *reinterpret_cast<const Vector<T>*>(from);
}
template <typename T>
inline void store(T* to, Vector<T> value) {
    *reinterpret_cast<Vector<T>*>(to) = value;
}

// An array that begins where a vector in the cache does.
template <typename T>
class Aligned {
   public:
    explicit Aligned(long size = 0) { resize(size); }
    Aligned(const Aligned&) = delete;
    void resize(long size) {
        room_.assign(size + 64 / sizeof(T), T(0));
        const auto address = reinterpret_cast<uintptr_t>(room_.data());
        data_ = room_.data() + ((64 - address % 64) % 64) / sizeof(T);
    }
    T* data() { return data_; }
    T& operator[](long i) { return data_[i]; }

   private:
    std::vector<T> room_;
    T* data_;
};

// The first `count` lanes (others are 0, or left alone); a count beyond the last lane means all.
#if defined(__AVX512F__)
inline Vector<float> load_part(const float* from, long count) {
    return (Vector<float>)_mm512_maskz_loadu_ps((1u << count) - 1, from);
}
inline Vector<double> load_part(const double* from, long count) {
    return (Vector<double>)_mm512_maskz_loadu_pd((1u << count) - 1, from);
}
inline void store_part(float* to, Vector<float> value, long count) {
    _mm512_mask_storeu_ps(to, (1u << count) - 1, (__m512)value);
}
inline void store_part(double* to, Vector<double> value, long count) {
    _mm512_mask_storeu_pd(to, (1u << count) - 1, (__m512d)value);
}
#else
template <typename T>
inline Vector<T> load_part(const T* from, long count) {
    T lanes[LANES<T>] = {};
    std::memcpy(lanes, from, count * sizeof(T));
    return load(lanes);
}
template <typename T>
inline void store_part(T* to, Vector<T> value, long count) {
    std::memcpy(to, &value, count * sizeof(T));
}
#endif
template <typename T>
inline Vector<T> load(const T* from, long count) {
    return count >= LANES<T> ? load(from) : load_part(from, count);
}
template <typename T>
inline void store(T* to, Vector<T> value, long count) {
    count >= LANES<T> ? store(to, value) : store_part(to, value, count);
}

// Sum of the lanes, by halves.
template <typename T, int WIDTH = LANES<T>>
inline T sum(const T* lanes) {
    if constexpr (WIDTH == 1) {
        return lanes[0];
    } else {
        typedef T Half __attribute__((vector_size(WIDTH / 2 * sizeof(T)), aligned(sizeof(T)), may_alias));
        const Half half = *reinterpret_cast<const Half*>(lanes) + *reinterpret_cast<const Half*>(lanes + WIDTH / 2);
        return sum<T, WIDTH / 2>(reinterpret_cast<const T*>(&half));
    }
}

inline Vector<double> exponential(Vector<double> x) {
    for (long lane = 0; lane < LANES<double>; ++lane) x[lane] = std::exp(x[lane]);
    return x;
}
inline Vector<double> hyperbolic_tangent(Vector<double> x) {
    for (long lane = 0; lane < LANES<double>; ++lane) x[lane] = std::tanh(x[lane]);
    return x;
}

// exp(x) = 2^n exp(r), |r| <= ln(2)/2, with a polynomial interpolated at Chebyshev nodes (relative error 2e-10).
// NaN stays NaN; beyond the range of float the result is the nearest finite power.
inline Vector<float> exponential(Vector<float> x) {
    typedef int32_t Integers __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    const Vector<float> zero = {};
    x = x > 88.0f ? zero + 88.0f : x;
    x = x < -87.0f ? zero - 87.0f : x;
    const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, found in the low bits
    const Vector<float> shifted = x * 1.44269504f + shift;
    const Vector<float> n = shifted - shift;
    const Vector<float> r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Vector<float> p = r * 1.989098088e-04f + 1.393364103e-03f;
    p = p * r + 8.333310934e-03f;
    p = p * r + 4.166646501e-02f;
    p = p * r + 1.666666668e-01f;
    p = p * r + 5.000000013e-01f;
    p = (r * r) * p + r + 1.0f;
    const Integers exponent = (Integers)shifted << 23;
    return (Vector<float>)((Integers)p + exponent);
}
// Near 0 an odd polynomial, so that small values keep their relative precision.
inline Vector<float> hyperbolic_tangent(Vector<float> x) {
    const Vector<float> z = x * x;
    Vector<float> p = z * 2.292744784e-03f - 8.343945480e-03f;
    p = p * z + 2.176891864e-02f;
    p = p * z - 5.395925957e-02f;
    p = p * z + 1.333330356e-01f;
    p = p * z - 3.333333317e-01f;
    const Vector<float> small = x * z * p + x;
    const Vector<float> large = 1.0f - 2.0f / (exponential(x + x) + 1.0f);
    return z < 0.390625f ? small : large;
}
template <typename V>
inline V sigmoid(V x) {
    return 1 / (1 + exponential(-x));
}

template <typename T>
inline T dot(const T* a, const T* b, long size) {
    Vector<T> total = {};
    for (long j = 0; j < size; j += LANES<T>) total += load(a + j, size - j) * load(b + j, size - j);
    return sum<T>(reinterpret_cast<const T*>(&total));
}
// to += scale * from
template <typename T>
inline void add_scaled(T* to, T scale, const T* from, long size) {
    for (long j = 0; j < size; j += LANES<T>)
        store<T>(to + j, load(to + j, size - j) + scale * load(from + j, size - j), size - j);
}
