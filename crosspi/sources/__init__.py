"""Sources: fetched, verified, unpacked safely, kept.

`spec` is their data in a recipe, `cache.SourceCache` the way in; `download`, `pypi`, `debian` and
`maven` know the kinds of origins, `unpack` (with `globs` and `writer`) makes a tree of an archive,
`treehash` and `fingerprint` tell what a tree is, `site` reads CROSSPI_SOURCES.
"""
