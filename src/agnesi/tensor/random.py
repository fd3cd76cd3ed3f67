"""Random numbers."""

from agnesi.random import RandomStream as RandomStream
