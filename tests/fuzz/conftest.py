"""How the fuzz tests run: bounded, so that they belong to the ordinary run."""

from hypothesis import HealthCheck, settings

# A busy machine makes examples slow, which says nothing about the code.
settings.register_profile("fuzz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fuzz")
