#include "cuda/logic_layers.h"

#include "logic/gates.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kColumns = 128;  // threads of a block, one a sample
constexpr int kNeurons = 128;  // ..., one a neuron

// False for a neuron that refers to a feature that is not there: the forward pass has reported it, and the backward one passes it over.
template <class T>
__device__ bool reads_inputs(const LogicLayerOnDevice<T>& l, int64_t neuron) {
  return l.a[neuron] >= 0 && l.a[neuron] < l.inputs && l.b[neuron] >= 0 && l.b[neuron] < l.inputs;
}

template <class T>
__global__ void forward_kernel(LogicLayerOnDevice<T> l, const T* x, T* y, Status status) {
  const int column = blockIdx.x * kColumns + threadIdx.x;
  if (column >= l.columns) return;
  for (int64_t part = blockIdx.z; part < l.batch; part += gridDim.z) {
    const T* from = x + part * l.inputs * l.columns + column;
    T* to = y + part * l.neurons * l.columns + column;
    for (int64_t neuron = blockIdx.y; neuron < l.neurons; neuron += gridDim.y) {
      const int64_t a = l.a[neuron], b = l.b[neuron];
      const bool inside = reads_inputs(l, neuron);
      if (!inside) report(status, Error::kLogicIndex, a < 0 || a >= l.inputs ? a : b, l.inputs, l.layer);
      to[neuron * l.columns] = inside ? gate_value(l.coefficients + 4 * neuron, from[a * l.columns], from[b * l.columns]) : T(0);
    }
  }
}

// A block for each neuron and part of the batch: its four sums over the samples.
template <class T>
__global__ void coefficient_sums_kernel(LogicLayerOnDevice<T> l, const T* x, const T* grad, T* grad_coefficients) {
  __shared__ T sums[kCoefficients][kColumns];
  const int64_t part = blockIdx.x / l.neurons;
  const int neuron = static_cast<int>(blockIdx.x % l.neurons), me = threadIdx.x;
  const T* from = x + part * l.inputs * l.columns;
  const T *a = from + static_cast<int64_t>(l.a[neuron]) * l.columns, *b = from + static_cast<int64_t>(l.b[neuron]) * l.columns;
  const T* g = grad + (part * l.neurons + neuron) * l.columns;
  T s0 = T(0), sa = T(0), sb = T(0), sab = T(0);
  const int columns = reads_inputs(l, neuron) ? l.columns : 0;
  for (int j = me; j < columns; j += kColumns) {
    const T ga = g[j] * a[j];
    s0 += g[j], sa += ga, sb += g[j] * b[j], sab += ga * b[j];
  }
  sums[0][me] = s0, sums[1][me] = sa, sums[2][me] = sb, sums[3][me] = sab;
  for (int width = kColumns / 2; width > 0; width /= 2) {
    __syncthreads();
    if (me < width)
      for (int k = 0; k < kCoefficients; ++k) sums[k][me] += sums[k][me + width];
  }
  __syncthreads();
  if (me < kCoefficients) grad_coefficients[(part * l.neurons + neuron) * 4 + me] = sums[me][0];
}

// A thread for each feature and sample gathers from the neurons that read it, so that no two threads add to one place.
template <class T>
__global__ void input_gradient_kernel(LogicLayerOnDevice<T> l, const T* x, LogicReaders readers, const T* grad, T* grad_x) {
  const int column = blockIdx.x * kColumns + threadIdx.x;
  if (column >= l.columns) return;
  for (int64_t part = blockIdx.z; part < l.batch; part += gridDim.z) {
    const T* from = x + part * l.inputs * l.columns + column;
    const T* g = grad + part * l.neurons * l.columns + column;
    T* to = grad_x + part * l.inputs * l.columns + column;
    for (int64_t feature = blockIdx.y; feature < l.inputs; feature += gridDim.y) {
      T sum = T(0);
      for (int64_t i = readers.start[feature]; i < readers.start[feature + 1]; ++i) {
        const int64_t neuron = readers.reader[i] / 2;
        const bool as_a = readers.reader[i] % 2 == 0;
        if (!reads_inputs(l, neuron)) continue;
        const T other = from[static_cast<int64_t>(as_a ? l.b[neuron] : l.a[neuron]) * l.columns];
        const T* c = l.coefficients + 4 * neuron;
        sum += g[neuron * l.columns] * (as_a ? gate_da(c, other) : gate_db(c, other));
      }
      to[feature * l.columns] = sum;
    }
  }
}

// exp of a neuron's logits relative to the largest, their corner probabilities, and the inverse of their sum.
template <class T>
__device__ T neuron_softmax(const T* z, T inverse_temperature, T e[kGates], T w[4]) {
  T top = z[0], sum = T(0);
  for (int i = 1; i < kGates; ++i) top = max_(top, z[i]);
  for (int corner = 0; corner < 4; ++corner) w[corner] = T(0);
  for (int i = 0; i < kGates; ++i) {
    e[i] = exp_((z[i] - top) * inverse_temperature);
    sum += e[i];
    for (int corner = 0; corner < 4; ++corner) w[corner] += gate_output(i, corner) ? e[i] : T(0);
  }
  for (int corner = 0; corner < 4; ++corner) w[corner] /= sum;
  return T(1) / sum;
}

template <class T>
__global__ void coefficients_kernel(int neurons, const T* z, T inverse_temperature, T* coefficients) {
  const int neuron = blockIdx.x * kNeurons + threadIdx.x;
  if (neuron >= neurons) return;
  T e[kGates], w[4];
  neuron_softmax(z + static_cast<int64_t>(neuron) * kGates, inverse_temperature, e, w);
  corners_to_coefficients(w, coefficients + static_cast<int64_t>(neuron) * 4);
}

template <class T>
__global__ void coefficients_gradient_kernel(int neurons, const T* z, T inverse_temperature, const T* grad, T* grad_z) {
  const int neuron = blockIdx.x * kNeurons + threadIdx.x;
  if (neuron >= neurons) return;
  const int64_t at = static_cast<int64_t>(neuron) * kGates;
  T e[kGates], w[4], grad_w[4], mean = T(0);
  const T inverse = neuron_softmax(z + at, inverse_temperature, e, w);
  corners_to_coefficients_gradient(grad + static_cast<int64_t>(neuron) * 4, grad_w);
  for (int corner = 0; corner < 4; ++corner) mean += w[corner] * grad_w[corner];
  for (int i = 0; i < kGates; ++i) grad_z[at + i] = softmax_gradient(i, e[i] * inverse, grad_w, mean, inverse_temperature);
}

}  // namespace

template <class T>
void logic_layer_forward(const LogicLayerOnDevice<T>& l, const T* x, T* y, Status status, cudaStream_t stream) {
  const dim3 grid(blocks_for(l.columns, kColumns), grid_rows(l.neurons), grid_rows(l.batch));
  launch(forward_kernel<T>, {grid, dim3(kColumns), 0, stream}, l, x, y, status);
}

template <class T>
void logic_layer_backward(const LogicLayerOnDevice<T>& l, const T* x, const LogicReaders& readers, const T* grad, T* grad_x,
                          T* grad_coefficients, cudaStream_t stream) {
  launch(coefficient_sums_kernel<T>, {dim3(blocks_for(int64_t{l.neurons} * l.batch, 1)), dim3(kColumns), 0, stream}, l, x, grad, grad_coefficients);
  const dim3 grid(blocks_for(l.columns, kColumns), grid_rows(l.inputs), grid_rows(l.batch));
  launch(input_gradient_kernel<T>, {grid, dim3(kColumns), 0, stream}, l, x, readers, grad, grad_x);
}

template <class T>
void logic_coefficients_forward(int neurons, const T* z, T inverse_temperature, T* coefficients, cudaStream_t stream) {
  const Launch where{dim3(blocks_for(neurons, kNeurons)), dim3(kNeurons), 0, stream};
  launch(coefficients_kernel<T>, where, neurons, z, inverse_temperature, coefficients);
}

template <class T>
void logic_coefficients_backward(int neurons, const T* z, T inverse_temperature, const T* grad, T* grad_z, cudaStream_t stream) {
  const Launch where{dim3(blocks_for(neurons, kNeurons)), dim3(kNeurons), 0, stream};
  launch(coefficients_gradient_kernel<T>, where, neurons, z, inverse_temperature, grad, grad_z);
}

#define RNDR_INSTANTIATE(T)                                                                                                    \
  template void logic_layer_forward<T>(const LogicLayerOnDevice<T>&, const T*, T*, Status, cudaStream_t);                      \
  template void logic_layer_backward<T>(const LogicLayerOnDevice<T>&, const T*, const LogicReaders&, const T*, T*, T*, cudaStream_t); \
  template void logic_coefficients_forward<T>(int, const T*, T, T*, cudaStream_t);                                             \
  template void logic_coefficients_backward<T>(int, const T*, T, const T*, T*, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
