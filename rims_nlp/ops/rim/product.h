// Small matrix products with the rows of the left matrix given one by one, so that rows can be left out.
#pragma once

#include "vector.h"

// One tile of `rows x (vectors * lanes)`, kept in registers; b has rows ldb apart; the result begins at `column`.
template <typename T, int ROWS, int VECTORS>
inline void tile(T* const* to, const T* const* a, const T* b, long ldb, long inner, long column) {
    Vector<T> total[ROWS][VECTORS] = {};
    for (long l = 0; l < inner; ++l) {
        Vector<T> right[VECTORS];
        for (int v = 0; v < VECTORS; ++v) right[v] = load(b + l * ldb + v * LANES<T>);
        for (int r = 0; r < ROWS; ++r)
            for (int v = 0; v < VECTORS; ++v) total[r][v] += a[r][l] * right[v];
    }
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) store(to[r] + column + v * LANES<T>, total[r][v]);
}

template <typename T, int VECTORS, int ROWS = TILE_ROWS>
inline void tiles_of_rows(int rows, T* const* to, const T* const* a, const T* b, long ldb, long inner, long column) {
    if constexpr (ROWS > 0) {
        if (rows == ROWS) return tile<T, ROWS, VECTORS>(to, a, b, ldb, inner, column);
        tiles_of_rows<T, VECTORS, ROWS - 1>(rows, to, a, b, ldb, inner, column);
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
    const long row_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    each_panel<T>(b.columns, [&](long column, long width) {
        const T* right = b.data + column;
        for (long i = 0; i < row_tiles; ++i) {  // rows are spread evenly over the tiles
            const long first = rows * i / row_tiles;
            const int count = static_cast<int>(rows * (i + 1) / row_tiles - first);
            if (width == 3) tiles_of_rows<T, 3>(count, to + first, a + first, right, b.columns, b.inner, column);
            if (width == 2) tiles_of_rows<T, 2>(count, to + first, a + first, right, b.columns, b.inner, column);
            if (width == 1) tiles_of_rows<T, 1>(count, to + first, a + first, right, b.columns, b.inner, column);
        }
    });
}
