"""`./build.sh geoip`: GeoIP databases."""
