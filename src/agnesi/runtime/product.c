/* Products of matrices by own code: the choice of instructions, and memory for panels. */
#include "product.h"
#include "runtime.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const struct ag_product *ag_product = &ag_product_portable;

static pthread_key_t panels_key;
static bool has_panels_key;

/* Kept by the thread until it ends: fresh memory costs as much as a small product. */
void *ag_panels(void) {
  enum { PAGE = 4096 };
  if (!has_panels_key) return NULL;
  void *panels = pthread_getspecific(panels_key);
  if (panels != NULL) return panels;
  if (posix_memalign(&panels, PAGE, PANEL_BYTES) != 0) return NULL;
  if (pthread_setspecific(panels_key, panels) == 0) return panels;
  free(panels);
  return NULL;
}

/* Whether this processor, and the system, can run the code. */
static bool runs(const struct ag_product *code) {
#ifdef AG_HAVE_X86
  if (code == &ag_product_avx512) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
  if (code == &ag_product_avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return code == &ag_product_portable;
}

/* Best first. */
static const struct ag_product *const codes[] = {
#ifdef AG_HAVE_X86
    &ag_product_avx512,
    &ag_product_avx2,
#endif
    &ag_product_portable,
};
enum { CODES = sizeof codes / sizeof codes[0] };

void ag_product_init(void) {
  has_panels_key = pthread_key_create(&panels_key, free) == 0;
#ifdef AG_HAVE_X86
  __builtin_cpu_init();
#endif
  for (int i = CODES - 1; i >= 0; i--)
    if (runs(codes[i])) ag_product = codes[i];
}

PyObject *ag_product_codes(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
  PyObject *names = PyList_New(0);
  for (int i = 0; names != NULL && i < CODES; i++) {
    if (!runs(codes[i])) continue;
    PyObject *name = PyUnicode_FromString(codes[i]->name);
    if (name == NULL || PyList_Append(names, name) < 0) Py_CLEAR(names);
    Py_XDECREF(name);
  }
  return names;
}

PyObject *ag_set_product_code(PyObject *Py_UNUSED(module), PyObject *argument) {
  const char *name = PyUnicode_AsUTF8(argument);
  if (name == NULL) return NULL;
  for (int i = 0; i < CODES; i++)
    if (strcmp(codes[i]->name, name) == 0 && runs(codes[i])) {
      ag_product = codes[i];
      Py_RETURN_NONE;
    }
  return PyErr_Format(PyExc_ValueError, "there is no code for products called %R that runs here", argument);
}
