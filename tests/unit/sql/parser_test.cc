#include "honryu/sql/parser.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace honryu::sql {
namespace {

std::string Reprint(std::string_view text) {
  const auto expr = ParseExpression(text);
  return expr.ok() ? ToSql(**expr) : expr.error().message();
}

std::string ErrorOf(std::string_view text) {
  const auto script = ParseScript(text);
  return script.ok() ? "parsed: " + ToSql(*script) : script.error().message();
}

TEST(Parser, ReadsEveryProgramAndPrintsTheSame) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HONRYU_SQL_PROGRAMS))
    files.push_back(entry.path());
  ASSERT_GE(files.size(), 26u);
  for (const auto& file : files) {
    std::ifstream in(file);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto script = ParseScript(text);
    ASSERT_TRUE(script.ok()) << file << "\n" << script.error().message();
    EXPECT_FALSE(script->statements.empty()) << file;
    const std::string printed = ToSql(*script);
    const auto again = ParseScript(printed);
    ASSERT_TRUE(again.ok()) << file << "\n" << printed << again.error().message();
    EXPECT_EQ(ToSql(*again), printed) << file;
  }
}

TEST(Parser, BindsOperatorsByPrecedence) {
  EXPECT_EQ(Reprint("a OR b AND NOT c = d"), "(a OR (b AND (NOT (c = d))))");
  EXPECT_EQ(Reprint("1 + 2 * 3 - 4"), "((1 + (2 * 3)) - 4)");
  EXPECT_EQ(Reprint("a || b + c"), "(a || (b + c))");
  EXPECT_EQ(Reprint("a || b = c"), "((a || b) = c)");
  EXPECT_EQ(Reprint("-a * b"), "((- a) * b)");
  EXPECT_EQ(Reprint("a BETWEEN 1 AND 2 AND b"), "((a BETWEEN 1 AND 2) AND b)");
  EXPECT_EQ(Reprint("NOT a IN (1, 2) OR b"), "((NOT (a IN (1, 2))) OR b)");
  EXPECT_EQ(Reprint("a MOD 2 = 1"), "((a % 2) = 1)");
  EXPECT_EQ(Reprint("p['a']['b'] = p->'a'->>'b'"), "(p['a']['b'] = p['a']['b'])");
  EXPECT_EQ(Reprint("x - y - z"), "((x - y) - z)");
}

TEST(Parser, NormalisesTheSpellingsOfOneThing) {
  EXPECT_EQ(Reprint("INTERVAL '60' SECOND"), "INTERVAL '1' MINUTE");
  EXPECT_EQ(Reprint("INTERVAL '1 minute'"), "INTERVAL '1' MINUTE");
  EXPECT_EQ(Reprint("INTERVAL '1 02:03:04.5' DAY TO SECOND"), "INTERVAL '93784500' MILLISECOND");
  EXPECT_EQ(Reprint("INTERVAL '-2:30' MINUTE TO SECOND"), "INTERVAL '-150' SECOND");
  EXPECT_EQ(Reprint("TRIM(LEADING 'x' FROM s)"), "LTRIM(s, 'x')");
  EXPECT_EQ(Reprint("SUBSTRING(s FROM 2 FOR 3)"), "SUBSTRING(s, 2, 3)");
  EXPECT_EQ(Reprint("(a - b) SECOND"), "(a - b) SECOND");
  EXPECT_EQ(Reprint("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)"), "PERCENTILE_CONT(x, 0.5)");
  EXPECT_EQ(Reprint("cast(x as character varying)"), "CAST(x AS VARCHAR)");
}

TEST(Parser, NamesFoldToUpperCaseUnlessQuoted) {
  const auto expr = ParseExpression("\"Mixed\".lower");
  ASSERT_TRUE(expr.ok());
  ASSERT_EQ((*expr)->path.size(), 2u);
  EXPECT_EQ((*expr)->path[0].Folded(), "Mixed");
  EXPECT_EQ((*expr)->path[1].Folded(), "LOWER");
  EXPECT_EQ((*expr)->path[1].at.column, 9u);
}

TEST(Parser, ErrorsShowThePlaceAndASuggestion) {
  EXPECT_EQ(ErrorOf("SELECT STREAM *\nFORM events;"),
            "line 2, column 1: expected FROM, found 'FORM'; did you mean FROM?\n  FORM events;\n  ^");
  EXPECT_EQ(
      ErrorOf("SELECT a FORM t"),
      "line 1, column 10: expected FROM, found 'FORM'; did you mean FROM?\n  SELECT a FORM t\n           ^");
  EXPECT_EQ(ErrorOf("SELEC 1"),
            "line 1, column 1: expected a statement, found 'SELEC'; did you mean SELECT?\n  SELEC 1\n  ^");
  EXPECT_EQ(
      ErrorOf("CREATE STREEM s (a INT)"),
      "line 1, column 8: expected STREAM, PUMP, TABLE, REFERENCE TABLE or VIEW, found 'STREEM'; did you mean "
      "STREAM?\n  CREATE STREEM s (a INT)\n         ^");
  EXPECT_EQ(ErrorOf("CREATE STREAM s (a INTEGR)"),
            "line 1, column 20: unknown type 'INTEGR'; did you mean INTEGER?\n  CREATE STREAM s (a INTEGR)\n"
            "                     ^");
  EXPECT_EQ(
      ErrorOf("SELECT a FROM t GRUOP BY a"),
      "line 1, column 17: expected ';' or the end of the statement, found 'GRUOP'; did you mean GROUP?\n"
      "  SELECT a FROM t GRUOP BY a\n                  ^");
  EXPECT_EQ(ErrorOf("SELECT a FROM (SELECT a FROM t WHRE a > 1) AS x").substr(0, 72),
            "line 1, column 32: expected ')', found 'WHRE'; did you mean WHERE?\n  SEL");
  EXPECT_EQ(
      ErrorOf("-- 集計\nSELECT 'あ' || FROM t"),
      "line 2, column 15: expected an expression, found 'FROM'\n  SELECT 'あ' || FROM t\n                ^");
  EXPECT_EQ(ErrorOf("SELECT 'open FROM t"),
            "line 1, column 8: this text has no closing quote\n  SELECT 'open FROM t\n         ^");
  EXPECT_EQ(ErrorOf("SELECT a FROM t WHERE x = INTERVAL '5' MINUT"),
            "line 1, column 40: expected a unit of time, found 'MINUT'; did you mean MINUTE?\n"
            "  SELECT a FROM t WHERE x = INTERVAL '5' MINUT\n                                         ^");
  EXPECT_EQ(
      ErrorOf(
          "SELECT COUNT(*) OVER (RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND UNBOUNDED FOLLOWING) FROM t")
          .substr(0, 77),
      "line 1, column 23: a window must end at the current row: AND CURRENT ROW\n  SE");
  EXPECT_EQ(ErrorOf("SELECT a FROM t; /* x"),
            "line 1, column 18: this comment has no end\n  SELECT a FROM t; /* x\n"
            "                   ^");
}

TEST(Parser, DepthAndSizeHaveLimits) {
  const std::string open(5000, '(');
  EXPECT_EQ(ParseExpression(open).error().code(), ErrorCode::kTooLarge);
  std::string chain = "1";
  for (int i = 0; i < 5000; ++i) chain += "+1";
  EXPECT_EQ(ParseExpression(chain).error().code(), ErrorCode::kTooLarge);
  std::string selects = "SELECT a FROM ";
  for (int i = 0; i < 500; ++i) selects += "(SELECT a FROM ";
  EXPECT_EQ(ParseScript(selects).error().code(), ErrorCode::kTooLarge);
  ParseLimits limits;
  limits.max_bytes = 10;
  EXPECT_EQ(ParseScript("SELECT a FROM t", limits).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(ErrorOf("SELECT INTERVAL '99999999999999999999' DAY FROM t").substr(0, 46),
            "line 1, column 17: this interval is too long\n ");
}

TEST(NearestName, FindsSlipsAndNothingFarther) {
  const std::vector<std::string> names = {"user_id", "event_type", "TIMESTAMP"};
  EXPECT_EQ(NearestName("usr_id", names), "user_id");
  EXPECT_EQ(NearestName("event_tpye", names), "event_type");
  EXPECT_EQ(NearestName("timestmap", names), "TIMESTAMP");
  EXPECT_EQ(NearestName("latitude", names), "");
}

}  // namespace
}  // namespace honryu::sql
