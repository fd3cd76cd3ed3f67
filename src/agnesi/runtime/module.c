/* agnesi._runtime: loads compiled code and calls it. */
#define AG_MODULE
#include "runtime.h"
#include "pool.h"
#include <dlfcn.h>

PyObject *ag_no_default;

static PyObject *load(PyObject *Py_UNUSED(module), PyObject *args) {
  PyObject *path;
  const char *symbol;
  if (!PyArg_ParseTuple(args, "O&s:load", PyUnicode_FSConverter, &path, &symbol)) return NULL;
  void *address = NULL, *library;
  const char *complaint = NULL;
  Py_BEGIN_ALLOW_THREADS
  library = dlopen(PyBytes_AS_STRING(path), RTLD_NOW | RTLD_LOCAL);
  if (library != NULL) address = dlsym(library, symbol);
  if (address == NULL) complaint = dlerror();
  Py_END_ALLOW_THREADS
  if (address == NULL) PyErr_SetString(PyExc_OSError, complaint != NULL ? complaint : "a symbol is null");
  Py_DECREF(path);
  return address != NULL ? PyLong_FromVoidPtr(address) : NULL;
}

/* The content of a capsule, for the C functions that Cython modules export. */
static PyObject *capsule(PyObject *Py_UNUSED(module), PyObject *object) {
  const char *name = PyCapsule_GetName(object);
  if (name == NULL && PyErr_Occurred()) return NULL;
  void *address = PyCapsule_GetPointer(object, name);
  if (address == NULL) return NULL;
  return Py_BuildValue("zN", name, PyLong_FromVoidPtr(address));
}

static PyObject *library_of(PyObject *Py_UNUSED(module), PyObject *argument) {
  void *address = PyLong_AsVoidPtr(argument);
  Dl_info info;
  if (PyErr_Occurred()) return NULL;
  if (dladdr(address, &info) == 0 || info.dli_fname == NULL) Py_RETURN_NONE;
  return PyUnicode_DecodeFSDefault(info.dli_fname);
}

static PyObject *started_threads(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
  return PyLong_FromLong(ag_pool_started());
}

static PyMethodDef methods[] = {
    {"load", load, METH_VARARGS,
     "load(path, symbol) -> int\n\nThe address of a symbol of a shared library, which stays loaded."},
    {"capsule", capsule, METH_O, "capsule(object) -> (name, address)\n\nWhat a PyCapsule holds."},
    {"library_of", library_of, METH_O, "library_of(address) -> str or None\n\nThe file that an address was loaded from."},
    {"set_library", ag_set_library, METH_VARARGS,
     "set_library(sgemm, sgemv, sgesv, dgemm, ..., zgesv)\n\nAddresses of Fortran BLAS and LAPACK routines for s, d, c, z; 0 selects own code."},
    {"library_address", ag_library_address, METH_NOARGS, "library_address() -> int\n\nThe address of the ag_library."},
    {"set_blas_threads", ag_set_blas_threads, METH_VARARGS,
     "set_blas_threads(setter, count)\n\nCalls the routine at address `setter` with `count`."},
    {"product_codes", ag_product_codes, METH_NOARGS,
     "product_codes() -> list of str\n\nThe own codes for products of matrices that this processor runs, best first."},
    {"set_product_code", ag_set_product_code, METH_O,
     "set_product_code(name)\n\nUses another code for products than the best one."},
    {"started_threads", started_threads, METH_NOARGS,
     "started_threads() -> int\n\nHow many threads have been started, besides those that call."},
    {"trim", ag_trim, METH_NOARGS, "trim()\n\nGives the kept memory of dead outputs back."},
    {"kept_bytes", ag_cached_bytes, METH_NOARGS, "kept_bytes() -> int\n\nMemory of dead outputs, kept for new ones."},
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "agnesi._runtime",
    .m_doc = "Loads compiled code and calls it.",
    .m_size = -1,
    .m_methods = methods,
};

static int fill(PyObject *module) {
  ag_product_init();
  if (ag_storage_init() < 0 || ag_interrupt_init() < 0 || PyType_Ready(&ag_dispatcher_type) < 0) return -1;
  ag_no_default = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
  if (ag_no_default == NULL || PyModule_AddObjectRef(module, "NO_DEFAULT", ag_no_default) < 0) return -1;
  if (PyModule_AddType(module, &ag_storage_type) < 0) return -1;
  return PyModule_AddType(module, &ag_dispatcher_type);
}

PyMODINIT_FUNC PyInit__runtime(void) {
  import_array();
  PyObject *module = PyModule_Create(&definition);
  if (module != NULL && fill(module) < 0) Py_CLEAR(module);
  return module;
}
