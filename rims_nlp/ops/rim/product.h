// Small matrix products with the rows of the left matrix given one by one, so that rows can be left out.
#pragma once

#include "vector.h"

constexpr long INNER =
    128;  // so much of the inner dimension at once: what a tile reads of b stays in the fastest cache

// One tile of `rows x (vectors * lanes)`, kept in registers; b has rows ldb apart; the result begins at `column`. Steps
// [first, last) of the inner dimension, added to what is there unless they begin with 0.
template <typename T, int ROWS, int VECTORS>
inline void tile(T* const* to, const T* const* a, const T* b, long ldb, long first, long last, long column) {
    Vector<T> total[ROWS][VECTORS] = {};
    for (long l = first; l < last; ++l) {
        Vector<T> right[VECTORS];
        for (int v = 0; v < VECTORS; ++v) right[v] = load(b + l * ldb + v * LANES<T>);
        for (int r = 0; r < ROWS; ++r)
            for (int v = 0; v < VECTORS; ++v) total[r][v] += a[r][l] * right[v];
    }
    for (int r = 0; r < ROWS; ++r) {
        for (int v = 0; v < VECTORS; ++v) {
            T* end = to[r] + column + v * LANES<T>;
            store(end, first ? load(end) + total[r][v] : total[r][v]);
        }
    }
}

template <typename T, int VECTORS, int ROWS = TILE_ROWS>
inline void tiles_of_rows(int rows, T* const* to, const T* const* a, const T* b, long ldb, long first, long last,
                          long column) {
    if constexpr (ROWS > 0) {
        if (rows == ROWS) return tile<T, ROWS, VECTORS>(to, a, b, ldb, first, last, column);
        tiles_of_rows<T, VECTORS, ROWS - 1>(rows, to, a, b, ldb, first, last, column);
    }
}

// Calls f(first column, vectors) for every panel. What is left behind the last whole vector is done by one vector that
// ends with the last column: some columns are computed twice.
template <typename T, typename F>
inline void each_panel(long columns, F f) {
    for (long column = 0; column < columns;) {
        const long whole = (columns - column) / LANES<T>;
        const long width = whole == 0 ? 1 : whole == 4 ? 2 : whole < TILE_VECTORS ? whole : TILE_VECTORS;
        f(whole == 0 ? columns - LANES<T> : column, width);
        column += width * LANES<T>;
    }
}

// The right side of a product, (inner, columns), contiguous.
template <typename T>
struct Matrix {
    const T* data;
    long inner, columns;
};

template <typename T>
inline void narrow_product(T* const* to, const T* const* a, long rows, const Matrix<T>& b) {
    for (long r = 0; r < rows; ++r) {
        for (long j = 0; j < b.columns; ++j) to[r][j] = 0;
        for (long l = 0; l < b.inner; ++l)
            for (long j = 0; j < b.columns; ++j) to[r][j] += a[r][l] * b.data[l * b.columns + j];
    }
}

// to[r] = a[r] b for every row.
template <typename T>
inline void product(T* const* to, const T* const* a, long rows, const Matrix<T>& b) {
    if (b.columns < LANES<T>) return narrow_product(to, a, rows, b);
    const long row_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS, blocks = (b.inner + INNER - 1) / INNER;
    each_panel<T>(b.columns, [&](long column, long width) {
        const T* right = b.data + column;
        for (long block = 0; block < blocks; ++block) {
            const long from = b.inner * block / blocks, until = b.inner * (block + 1) / blocks;
            for (long i = 0; i < row_tiles; ++i) {  // rows are spread evenly over the tiles
                const long first = rows * i / row_tiles;
                const int count = static_cast<int>(rows * (i + 1) / row_tiles - first);
                T* const* t = to + first;
                const T* const* l = a + first;
                if (width == 3) tiles_of_rows<T, 3>(count, t, l, right, b.columns, from, until, column);
                if (width == 2) tiles_of_rows<T, 2>(count, t, l, right, b.columns, from, until, column);
                if (width == 1) tiles_of_rows<T, 1>(count, t, l, right, b.columns, from, until, column);
            }
        }
    });
}

constexpr long OUTER_ROWS = 64;  // rows of both sides taken at once

// One tile of a sum of outer products: to[r] += sum_l a[l][r] b[l][column...], for r < height <= TILE_ROWS. Of the last
// vector only the first `last` columns exist; WHOLE: all of them.
template <typename T, int VECTORS, bool WHOLE>
inline void outer_tile(T* to, long ldt, long height, const T* a, long lda, const T* const* b, long rows, long column,
                       long last) {
    Vector<T> total[TILE_ROWS][VECTORS] = {};
    for (long l = 0; l < rows; ++l) {
        const T* from = b[l] + column;
        Vector<T> right[VECTORS];
        for (int v = 0; v < VECTORS; ++v)
            right[v] = WHOLE || v + 1 < VECTORS ? load(from + v * LANES<T>) : load_part(from + v * LANES<T>, last);
        for (int r = 0; r < TILE_ROWS; ++r)
            for (int v = 0; v < VECTORS; ++v) total[r][v] += a[l * lda + r] * right[v];
    }
    for (int r = 0; r < TILE_ROWS; ++r) {
        if (r >= height) break;
        for (int v = 0; v < VECTORS; ++v) {
            T* end = to + r * ldt + column + v * LANES<T>;
            const long count = WHOLE || v + 1 < VECTORS ? LANES<T> : last;
            store<T>(end, load(end, count) + total[r][v], count);
        }
    }
}

template <typename T, int VECTORS>
inline void outer_tiles(T* to, long ldt, long height, const T* a, long lda, const T* const* b, long rows, long column,
                        long last) {
    for (long r = 0; r < height; r += TILE_ROWS) {
        const long tall = height - r < TILE_ROWS ? height - r : TILE_ROWS;
        if (last >= LANES<T>)
            outer_tile<T, VECTORS, true>(to + r * ldt, ldt, tall, a + r, lda, b, rows, column, last);
        else
            outer_tile<T, VECTORS, false>(to + r * ldt, ldt, tall, a + r, lda, b, rows, column, last);
    }
}

// The next multiple of TILE_ROWS.
constexpr long whole_tiles(long rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS; }

// Columns [first, last) of to += a^T b: `to` is (height, columns) with rows ldt apart; a has rows of
// whole_tiles(height) numbers. `first` is a multiple of the lanes.
template <typename T>
inline void add_outer(T* to, long ldt, long height, const T* a, const T* const* b, long rows, long first, long last) {
    const long lda = whole_tiles(height), vectors = (last - first + LANES<T> - 1) / LANES<T>;
    for (long v = 0; v < vectors;) {
        const long width = vectors - v == 4 ? 2 : vectors - v < TILE_VECTORS ? vectors - v : TILE_VECTORS;
        const long column = first + v * LANES<T>, left = last - column - (width - 1) * LANES<T>;
        if (width == 3) outer_tiles<T, 3>(to, ldt, height, a, lda, b, rows, column, left);
        if (width == 2) outer_tiles<T, 2>(to, ldt, height, a, lda, b, rows, column, left);
        if (width == 1) outer_tiles<T, 1>(to, ldt, height, a, lda, b, rows, column, left);
        v += width;
    }
}
