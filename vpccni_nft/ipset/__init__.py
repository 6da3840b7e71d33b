"""The language of ``ipset save``, as data. Imports core."""
