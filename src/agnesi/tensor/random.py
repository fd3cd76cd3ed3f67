"""Random numbers."""

from agnesi.random import Key as Key, RandomStream as RandomStream
