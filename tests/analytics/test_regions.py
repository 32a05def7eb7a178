import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.regions import country_of, distance_km, latency_ms, place, region_names, region_of

POINTS = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("geolocation", "country", "region"),
    [
        ("Texas, US", "US", "US-Central"),
        ("Virginia, US", "US", "US-East"),
        ("District of Columbia, US", "US", "US-East"),
        ("Utah, US", "US", "US-West"),
        ("Georgia, US", "US", "US-East"),
        (", US", "US", "US"),
        ("Quebec, CA", "CA", "Canada"),
        ("United Kingdom, GB", "GB", "EU-West"),
        ("The Netherlands, NL", "NL", "EU-West"),
        ("Iceland, IS", "IS", "EU-North"),
        ("Czechia, CZ", "CZ", "EU-East"),
        ("Spain, ES", "ES", "EU-South"),
        ("Brazil, BR", "BR", "South America"),
        ("Japan, JP", "JP", "Asia-East"),
        ("Vietnam, VN", "VN", "Asia-South-East"),
        ("India, IN", "IN", "South Asia"),
        ("Türkiye, TR", "TR", "Middle East"),
        (", AU", "AU", "Oceania"),
        ("South Africa, ZA", "ZA", "Africa"),
        ("Moscow, RU", "RU", "Russia"),
        ("DE", "DE", "EU-West"),
        ("", "Unknown", "Unknown"),
        (None, "Unknown", "Unknown"),
        ("Atlantis, QQ", "Unknown", "Unknown"),
        ("SAINTUS", "Unknown", "Unknown"),
    ],
)
def test_a_geolocation_has_a_country_and_a_region(geolocation, country, region):
    assert country_of(geolocation) == country
    assert region_of(geolocation) == region


def test_every_region_has_a_position():
    assert len(region_names()) == 19
    assert all(place(region) for region in region_names())


@pytest.mark.parametrize(
    ("home", "lat", "lon"),
    [
        ("Sao Paulo, BR", -23.55, -46.64),
        ("São Paulo", -23.55, -46.64),
        ("Gotham, BR", -23.55, -46.64),
        ("DE", 52.52, 13.41),
        ("germany", 52.52, 13.41),
        ("Munich, DE", 48.14, 11.58),
        ("Austin, TX", 30.27, -97.74),
        ("Texas, US", 29.76, -95.36),
        ("New York City, New York, US", 40.71, -74.01),
        ("US-East", 38.9, -77.04),
        ("52.5,13.4", 52.5, 13.4),
        ("-23.5; -46.6", -23.5, -46.6),
    ],
)
def test_a_home_has_a_place(home, lat, lon):
    assert place(home) == pytest.approx((lat, lon), abs=0.01)


@pytest.mark.parametrize("home", ["nowhere", "", "Unknown", "91,0", "0,181", "1e3,4", "x" * 100_000, "Gotham, QQ"])
def test_a_place_that_is_not_known_has_no_position(home):
    assert place(home) is None
    assert latency_ms(home, "US-East") is None
    assert latency_ms("US-East", home) is None


def test_latency_is_there_and_back_at_200_km_per_ms_and_4_ms():
    # London - New York is 5570 km by great circle
    assert distance_km((51.51, -0.13), (40.71, -74.01)) == pytest.approx(5570, rel=0.005)
    assert latency_ms("London, GB", "40.71,-74.01") == 60
    assert latency_ms("DE", "DE") == 4
    assert latency_ms(None, "DE") is None
    assert latency_ms("DE", None) is None


@given(POINTS, POINTS)
def test_distance_is_the_same_both_ways_and_at_most_half_the_globe(a, b):
    assert distance_km(a, b) == pytest.approx(distance_km(b, a))
    assert 0 <= distance_km(a, b) <= 20_016


@given(st.text(max_size=120))
def test_any_text_is_a_region_or_unknown(text):
    assert region_of(text) in {*region_names(), "Unknown"}
    assert (country_of(text) == "Unknown") == (region_of(text) == "Unknown")
    place(text)
