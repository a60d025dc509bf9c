"""Random documents and what queries mean for them, looked at one by one: the evaluator of the search tests. Standard library only."""
import datetime
import math
import re
import time

WORDS = ["error", "Timeout", "user", "login", "a1", "errors", "us", "東京都", "京都", "検索の修正", "修正", "京"]
HOUR = 3_600_000


class Documents:
    def __init__(self, dice):
        self.dice, self.made = dice, 0
        self.base = int(time.time()) // 3600 * HOUR

    def key(self):
        return self.dice.choice("abcd") + self.dice.choice("abcdef")

    def phrase(self, least, most):
        return " ".join(self.dice.choice(WORDS) for _ in range(self.dice.randint(least, most)))

    def time_ms(self):
        return self.base - self.dice.randrange(60) * HOUR - 1_800_000 + self.dice.randrange(-1_700_000, 1_700_000)

    def make(self):
        dice = self.dice
        self.made += 1
        document = {"u": self.made, "t": iso(self.time_ms())}
        if dice.random() < 0.9:
            document["w"] = self.phrase(1, 6)
        if dice.random() < 0.5:
            document["v"] = self.phrase(1, 3)
        if dice.random() < 0.8:
            document["k"] = sorted({self.key(), self.key()}) if dice.random() < 0.2 else self.key()
        if dice.random() < 0.7:
            document["n"] = dice.randrange(-5, 15)
        if dice.random() < 0.7:
            document["x"] = dice.randrange(10) + dice.choice([0.25, 0.5])
        if dice.random() < 0.5:
            document["b"] = dice.random() < 0.5
        if dice.random() < 0.6:
            document["o"] = {"s": self.key()}
        if dice.random() < 0.5:
            lat, lon = round(dice.uniform(-60, 60), 3), round(dice.uniform(-179, 179), 3)
            document["g"] = dice.choice([{"lat": lat, "lon": lon}, [lon, lat], f"{lat},{lon}", f"POINT ({lon} {lat})", {"lat": str(lat), "lon": str(lon)}])
        if dice.random() < 0.5:  # a place that no mapping knows; whole numbers stand in a column of their own
            lat, lon = round(dice.uniform(-60, 60), dice.choice([0, 3])), round(dice.uniform(-179, 179), dice.choice([0, 3]))
            lat, lon = (int(n) if n == int(n) and dice.random() < 0.7 else n for n in (lat, lon))
            document["p"] = dice.choice([{"latitude": lat, "longitude": lon, "accuracy": 5}, {"lat": lat, "lng": lon},
                                         {"type": "Point", "coordinates": [lon, lat]}])
        return document


def iso(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def ms_of(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def values(document, field):
    if field.endswith(".keyword"):
        field = field[: -len(".keyword")]
    value = document
    for part in field.split("."):
        if not isinstance(value, dict) or part not in value:
            return []
        value = value[part]
    return value if isinstance(value, list) else [value]


def point(document, field="g"):
    value = document.get(field)
    if value is None:
        return None
    if isinstance(value, dict) and "coordinates" in value:
        value = value["coordinates"]
    if isinstance(value, dict):
        return (float(next(value[name] for name in ("lat", "latitude") if name in value)),
                float(next(value[name] for name in ("lon", "longitude", "lng") if name in value)))
    if isinstance(value, list):
        return value[1], value[0]
    if value.startswith("POINT"):
        lon, lat = value[len("POINT ("):-1].split()
        return float(lat), float(lon)
    lat, lon = value.split(",")
    return float(lat), float(lon)


def words(text):
    return [word.lower() for word in re.findall(r"[0-9A-Za-z]+|[^\x00-\x7f]+", text)]


def is_japanese(word):
    return ord(word[0]) > 127


def has_word(document_words, wanted):
    return any(wanted in word if is_japanese(wanted) else word == wanted for word in document_words)


def has_phrase(document_words, wanted):
    if not wanted:
        return False
    for begin in range(len(document_words) - len(wanted) + 1):
        fits = True
        for i, want in enumerate(wanted):
            word = document_words[begin + i]
            if not is_japanese(want):
                fits = word == want
            elif len(wanted) == 1:
                fits = want in word
            elif i == 0:
                fits = word.endswith(want)
            elif i + 1 == len(wanted):
                fits = word.startswith(want)
            else:
                fits = word == want
            if not fits:
                break
        if fits:
            return True
    return False


def compare_range(value, bounds):
    for name, bound in bounds.items():
        if name == "gt" and not value > bound or name == "gte" and not value >= bound:
            return False
        if name == "lt" and not value < bound or name == "lte" and not value <= bound:
            return False
    return True


def distance(a, b):
    (lat1, lon1), (lat2, lon2) = [tuple(math.radians(c) for c in p) for p in (a, b)]
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371008.7714 * math.asin(min(1, math.sqrt(h)))


def required(minimum, count):
    if isinstance(minimum, str) and minimum.endswith("%"):
        number = int(minimum[:-1]) * count
        number = int(number / 100)
    else:
        number = int(minimum)
    return max(0, number + count if number < 0 else number)
