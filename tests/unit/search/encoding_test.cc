#include "honryu/base/random.h"
#include "search/segment/column.h"
#include "search/segment/dictionary_writer.h"
#include "search/segment/packed_ints.h"
#include "search/segment/postings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace honryu::search {
namespace {

TEST(PackedInts, GiveBackWhatWentIn) {
  Random random(1);
  for (const unsigned bits : {0u, 1u, 7u, 13u, 31u, 52u, 56u, 57u, 63u, 64u}) {
    std::vector<std::int64_t> values;
    for (int i = 0; i < 3000; ++i)
      values.push_back(static_cast<std::int64_t>(bits == 0 ? 5 : random.Next() >> (64 - bits)) - 1000);
    std::string bytes;
    PackedInts::Append(values, bytes);
    const auto ints = PackedInts::Open(bytes);
    ASSERT_TRUE(ints.ok());
    EXPECT_EQ(ints->byte_size(), bytes.size());
    EXPECT_EQ(ints->DecodeAll(), values);
    for (const std::size_t i : {0u, 1023u, 1024u, 2999u}) EXPECT_EQ(ints->Get(i), values[i]);
    EXPECT_EQ(ints->BlockMin(1), *std::min_element(values.begin() + 1024, values.begin() + 2048));
    EXPECT_EQ(ints->BlockMax(2), *std::max_element(values.begin() + 2048, values.end()));
  }
}

TEST(PackedInts, RefuseWhatIsCutShort) {
  std::string bytes;
  PackedInts::Append(std::vector<std::int64_t>{1, 500, 70000}, bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(PackedInts::Open(BytesView(bytes).substr(0, size)).ok()) << size;
}

TEST(Column, KeepsMissingAndSeveralValues) {
  Random random(2);
  for (const double density : {1.0, 0.5, 0.01}) {
    for (const bool several : {false, true}) {
      constexpr std::uint32_t kDocs = 5000;
      std::vector<std::uint32_t> docs;
      std::vector<std::int64_t> values;
      std::map<std::uint32_t, std::vector<std::int64_t>> expected;
      for (std::uint32_t doc = 0; doc < kDocs; ++doc) {
        if (!random.Chance(density)) continue;
        for (std::uint64_t n = several ? 1 + random.Below(3) : 1; n > 0; --n) {
          docs.push_back(doc);
          values.push_back(static_cast<std::int64_t>(random.Below(1000)));
          expected[doc].push_back(values.back());
        }
      }
      std::string bytes;
      Column::Append(docs, values, kDocs, bytes);
      const auto column = Column::Open(bytes, kDocs);
      ASSERT_TRUE(column.ok());
      for (std::uint32_t doc = 0; doc < kDocs; ++doc) {
        std::vector<std::int64_t> read;
        column->Of(doc, [&](std::int64_t value) { read.push_back(value); });
        EXPECT_EQ(read, expected[doc]) << doc;
      }
      std::vector<std::uint32_t> walked;
      column->index().ForEach([&](std::uint32_t doc, std::size_t) { walked.push_back(doc); });
      EXPECT_EQ(walked, docs);
    }
  }
}

TEST(Column, DoublesComeBackExactly) {
  const std::vector<std::vector<double>> sets = {
      {37.774929, -122.419416, 0.5},
      {1e300, -1e-300, 0.1, -0.0},
      {std::numeric_limits<double>::infinity(), -1, 3},
  };
  for (const auto& values : sets) {
    std::vector<std::uint32_t> docs;
    for (std::uint32_t i = 0; i < values.size(); ++i) docs.push_back(i);
    std::string bytes;
    Column::AppendDoubles(docs, values, static_cast<std::uint32_t>(values.size()), bytes);
    const auto column = Column::Open(bytes, static_cast<std::uint32_t>(values.size()));
    ASSERT_TRUE(column.ok());
    EXPECT_TRUE(column->is_double());
    for (std::uint32_t i = 0; i < values.size(); ++i)
      column->Of(i, [&](std::int64_t stored) { EXPECT_EQ(column->ToDouble(stored), values[i]); });
  }
}

TEST(Dictionary, FindsEveryTermAndNoOther) {
  Random random(3);
  std::set<std::string> terms;
  while (terms.size() < 1000) {
    std::string term = "user/";
    for (auto n = random.Below(12); n > 0; --n) term += static_cast<char>('a' + random.Below(3));
    terms.insert(term);
  }
  DictionaryWriter writer;
  std::uint32_t number = 0;
  for (const auto& term : terms) writer.Add(term, number + 1, number % 7), ++number;
  std::string bytes;
  writer.Finish(bytes);
  const auto dictionary = Dictionary::Open(bytes);
  ASSERT_TRUE(dictionary.ok());
  ASSERT_EQ(dictionary->size(), terms.size());
  std::uint64_t offset = 0;
  number = 0;
  for (const auto& term : terms) {
    const auto entry = dictionary->Find(term);
    ASSERT_TRUE(entry) << term;
    EXPECT_EQ(entry->ordinal, number);
    EXPECT_EQ(entry->doc_count, number + 1);
    EXPECT_EQ(entry->offset, offset);
    EXPECT_EQ(dictionary->Term(number), term);
    EXPECT_EQ(dictionary->LowerBound(term), number);
    const auto other = term + "!";
    EXPECT_EQ(dictionary->Find(other).has_value(), terms.contains(other));
    EXPECT_EQ(dictionary->LowerBound(other), number + 1);
    offset += number++ % 7;
  }
  EXPECT_EQ(dictionary->LowerBound(""), 0u);
  EXPECT_EQ(dictionary->LowerBound("zzz"), terms.size());
  std::vector<std::string> scanned;
  dictionary->Scan(130, [&](BytesView term, const TermEntry&) {
    scanned.emplace_back(term);
    return scanned.size() < 300;
  });
  EXPECT_EQ(scanned, std::vector<std::string>(std::next(terms.begin(), 130), std::next(terms.begin(), 430)));
}

TEST(Dictionary, GivesTermsOfEveryFormByNumber) {
  Random random(7);
  const auto hex = [&random](std::size_t digits) {
    std::string text;
    while (text.size() < digits) text += "0123456789abcdef"[random.Below(16)];
    return text;
  };
  for (const auto form : {TermForm::kPlain, TermForm::kHex, TermForm::kUuid}) {
    std::set<std::string> terms;
    while (terms.size() < 700) {
      auto term = hex(form == TermForm::kUuid ? 32 : 2 * random.Below(9));
      if (form == TermForm::kUuid)
        for (const std::size_t dash : {8, 13, 18, 23}) term.insert(dash, "-");
      if (form == TermForm::kPlain) term += "の予約を確認しました";
      terms.insert(term);
    }
    DictionaryWriter writer(form);
    for (const auto& term : terms) writer.Add(term, 1, 0);
    std::string bytes;
    writer.Finish(bytes);
    UnpackedBlocks kept;
    const auto dictionary = Dictionary::Open(bytes, Unpacker(&kept, 1, bytes.data()));
    ASSERT_TRUE(dictionary.ok());
    for (int round = 0; round < 2; ++round) {  // the second time, pages come from what is kept
      std::uint32_t number = 0;
      for (const auto& term : terms) ASSERT_EQ(dictionary->Term(number++), term);
    }
    EXPECT_EQ(kept.bytes() > 0, form == TermForm::kPlain);
  }
}

TEST(UnpackedBlocks, KeepWhatWasUsedLastWithinTheirLimit) {
  UnpackedBlocks kept(10'000);
  const auto block = std::make_shared<const std::string>(800, 'x');
  for (std::uint64_t i = 0; i < 100; ++i) {
    kept.Put({1, i}, block);
    EXPECT_NE(kept.Find({1, 0}), nullptr) << "used all the time";
  }
  EXPECT_LE(kept.bytes(), 10'000u);
  EXPECT_NE(kept.Find({1, 99}), nullptr);
  EXPECT_EQ(kept.Find({1, 50}), nullptr);
  kept.Put({2, 0}, block);
  kept.Forget(1);
  EXPECT_EQ(kept.Find({1, 0}), nullptr);
  EXPECT_NE(kept.Find({2, 0}), nullptr);
  kept.Forget(2);
  EXPECT_EQ(kept.bytes(), 0u);
  kept.Put({3, 0}, std::make_shared<const std::string>(9'000, 'x'));
  EXPECT_EQ(kept.bytes(), 0u) << "one must not push out all others";
}

TEST(Postings, GiveBackTargetsAndPositions) {
  Random random(4);
  for (const std::size_t count : {1u, 2u, 128u, 129u, 5000u}) {
    for (const bool with_positions : {false, true}) {
      std::vector<std::uint32_t> targets, starts;
      std::vector<std::vector<std::uint32_t>> positions(count);
      std::string stream, bytes;
      std::uint32_t target = 0;
      for (std::size_t i = 0; i < count; ++i) {
        target += static_cast<std::uint32_t>(random.Below(i % 100 == 0 ? 100000 : 4)) + (i > 0 ? 1 : 0);
        targets.push_back(target);
        std::uint32_t position = 0;
        // Stretches of single positions, which are skipped eight bytes at a time, and others.
        for (auto n = i % 90 < 50 ? 1 : 1 + random.Below(4); n > 0; --n)
          positions[i].push_back(position += static_cast<std::uint32_t>(random.Below(300)));
        if (!with_positions) continue;
        starts.push_back(static_cast<std::uint32_t>(stream.size()));
        AppendPositions(positions[i], stream);
      }
      AppendPostings(targets, stream, starts, bytes);
      PostingsCursor all(bytes, static_cast<std::uint32_t>(count), with_positions);
      std::vector<std::uint32_t> read;
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(all.Next());
        EXPECT_EQ(all.target(), targets[i]);
        if (!with_positions || i % 3 == 0) continue;
        all.Positions(read);
        EXPECT_EQ(read, positions[i]);
        EXPECT_EQ(all.Frequency(), positions[i].size());
      }
      EXPECT_FALSE(all.Next());
      // Seeks agree with a search of the list.
      PostingsCursor seeks(bytes, static_cast<std::uint32_t>(count), with_positions);
      for (std::uint32_t wanted = 0; wanted <= target + 1; wanted += 1 + target / 997) {
        const auto found = std::lower_bound(targets.begin(), targets.end(), wanted);
        ASSERT_EQ(seeks.SeekTo(wanted), found != targets.end()) << wanted;
        if (found == targets.end()) break;
        EXPECT_EQ(seeks.target(), *found);
        if (!with_positions) continue;
        seeks.Positions(read);
        EXPECT_EQ(read, positions[static_cast<std::size_t>(found - targets.begin())]);
      }
    }
  }
}

TEST(Postings, SurviveAnyDamage) {
  std::vector<std::uint32_t> targets, starts;
  std::string stream, bytes;
  for (std::uint32_t i = 0; i < 300; ++i) {
    targets.push_back(i * 7);
    starts.push_back(static_cast<std::uint32_t>(stream.size()));
    AppendPositions(std::vector<std::uint32_t>{i, i + 3}, stream);
  }
  AppendPostings(targets, stream, starts, bytes);
  Random random(5);
  std::vector<std::uint32_t> read;
  for (int round = 0; round < 3000; ++round) {
    // A copy of its own on the heap: the address sanitizer then sees reads beyond it.
    std::string damaged = bytes.substr(0, round % 2 == 0 ? bytes.size() : random.Below(bytes.size()));
    for (int n = 0; n < 3 && !damaged.empty(); ++n)
      damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
    damaged.shrink_to_fit();
    PostingsCursor cursor(damaged, 300, true);
    std::uint32_t steps = 0;
    while (cursor.Next()) {
      cursor.Positions(read);
      ASSERT_LE(++steps, 300u);
    }
    PostingsCursor seek(damaged, 300, true);
    if (seek.SeekTo(1000)) EXPECT_GE(seek.target(), 1000u);
  }
}

}  // namespace
}  // namespace honryu::search
