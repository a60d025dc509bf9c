#include "honryu/sql/parser.h"
#include "sql/binder.h"

#include <gtest/gtest.h>

#include <string>

namespace honryu::sql {
namespace {

// A row (a = 7, b = NULL, s = 'Hello', d = 2.5, t = 2026-11-21 10:20:30.456, j = JSON, ok = TRUE).
class Evaluate : public ::testing::Test {
 protected:
  Evaluate() {
    const auto add = [&](const char* name, Type type, Value value) {
      scope_.columns.push_back({"r", name, type, scope_.columns.size()});
      row_.values.push_back(std::move(value));
    };
    add("A", IntegerType(), Value::Int(7));
    add("B", IntegerType(), Value());
    add("S", VarcharType(), Value::Text("Hello"));
    add("D", DoubleType(), Value::Double(2.5));
    add("T", TimestampType(), Value::Int(kTime));
    add("J", JsonType(), Value::Text(R"({"k":"v","n":5,"deep":{"x y":[1,2.5,"z"]},"nil":null})"));
    add("OK", BooleanType(), Value::Bool(true));
    add("user_id", VarcharType(), Value::Text("u1"));
    row_.time = kTime;
  }

  // The value as text, or the name of the row's error, or the binder's message.
  std::string Of(std::string_view text) {
    const auto expr = ParseExpression(text);
    if (!expr.ok()) return expr.error().message();
    Binder binder(text, scope_);
    auto bound = binder.Bind(**expr);
    if (!bound.ok()) return bound.error().message();
    EvalContext context;
    context.query_start = 1000;
    context.Use(row_);
    const Value& value = (*bound)->Eval(context);
    if (context.failed()) return "!" + std::string(context.error_name);
    return ValueToText(value, (*bound)->type);
  }
  std::string TypeOf(std::string_view text) {
    const auto expr = ParseExpression(text);
    Binder binder(text, scope_);
    auto bound = binder.Bind(**expr);
    return bound.ok() ? (*bound)->type.ToString() : bound.error().message();
  }

  static constexpr std::int64_t kTime = 1795256430456;
  Scope scope_;
  Row row_;
};

TEST_F(Evaluate, NumbersKeepTheirKindAndReportOverflowAndDivisionByZero) {
  EXPECT_EQ(Of("1 + 2 * 3 - 4"), "3");
  EXPECT_EQ(Of("7 / 2"), "3");
  EXPECT_EQ(Of("-7 / 2"), "-3");
  EXPECT_EQ(Of("7 % 4"), "3");
  EXPECT_EQ(Of("MOD(a, 4)"), "3");
  EXPECT_EQ(Of("a / 2.0"), "3.5");
  EXPECT_EQ(Of("1.10 + 2.205"), "3.305");
  EXPECT_EQ(TypeOf("1.10 * 2.5"), "DECIMAL(18,3)");
  EXPECT_EQ(Of("1.10 * 2.5"), "2.750");
  EXPECT_EQ(Of("d * 2"), "5");
  EXPECT_EQ(Of("1 / (a - 7)"), "!DivisionByZero");
  EXPECT_EQ(Of("d / 0"), "!DivisionByZero");
  EXPECT_EQ(Of("9223372036854775807 + a"), "!NumericOverflow");
  EXPECT_EQ(Of("STEP(23 BY 5)"), "20");
  EXPECT_EQ(Of("STEP(-1 BY 5)"), "-5");
  EXPECT_EQ(Of("FLOOR(-2.5)"), "-3");
  EXPECT_EQ(Of("CEIL(d)"), "3");
  EXPECT_EQ(Of("ABS(-7)"), "7");
  EXPECT_EQ(Of("ROUND(2.345, 2)"), "2.35");
  EXPECT_EQ(Of("POWER(2, 10)"), "1024");
  EXPECT_EQ(Of("LN(0)"), "!InvalidArgument");
  EXPECT_EQ(Of("b + 1"), "NULL");
}

TEST_F(Evaluate, LogicHasThreeValues) {
  EXPECT_EQ(Of("b = 1 AND FALSE"), "false");
  EXPECT_EQ(Of("b = 1 AND TRUE"), "NULL");
  EXPECT_EQ(Of("b = 1 OR TRUE"), "true");
  EXPECT_EQ(Of("b = 1 OR FALSE"), "NULL");
  EXPECT_EQ(Of("NOT (b = 1)"), "NULL");
  EXPECT_EQ(Of("b IS NULL"), "true");
  EXPECT_EQ(Of("a IS NOT NULL"), "true");
  EXPECT_EQ(Of("(b = 1) IS NOT TRUE"), "true");
  EXPECT_EQ(Of("b IS DISTINCT FROM a"), "true");
  EXPECT_EQ(Of("b IS NOT DISTINCT FROM NULL"), "true");
  EXPECT_EQ(Of("a IN (1, 7, b)"), "true");
  EXPECT_EQ(Of("a IN (1, b)"), "NULL");
  EXPECT_EQ(Of("a NOT IN (1, 2)"), "true");
  EXPECT_EQ(Of("a BETWEEN 1 AND 7"), "true");
  EXPECT_EQ(Of("a NOT BETWEEN 1 AND b"), "NULL");
  EXPECT_EQ(Of("a BETWEEN 8 AND b"), "false");
  EXPECT_EQ(Of("a <> 0 AND 7 / a = 1"), "true");
  EXPECT_EQ(Of("a = 0 AND 1 / (a - 7) = 1"), "false");  // the right side does not run
}

TEST_F(Evaluate, CaseAndItsRelatives) {
  EXPECT_EQ(Of("CASE WHEN a > 5 THEN 'big' ELSE 'small' END"), "big");
  EXPECT_EQ(Of("CASE a WHEN 1 THEN 'one' WHEN 7 THEN 'seven' END"), "seven");
  EXPECT_EQ(Of("CASE a WHEN 1 THEN 'one' END"), "NULL");
  EXPECT_EQ(Of("CASE b WHEN NULL THEN 'null' ELSE 'other' END"), "other");
  EXPECT_EQ(Of("CASE WHEN a = 7 THEN 1 ELSE 1 / (a - 7) END"), "1");
  EXPECT_EQ(Of("COALESCE(b, a, 1)"), "7");
  EXPECT_EQ(Of("NULLIF(a, 7)"), "NULL");
  EXPECT_EQ(Of("GREATEST(1, a, 3)"), "7");
  EXPECT_EQ(TypeOf("CASE WHEN ok THEN 1 ELSE 2.5 END"), "DECIMAL(18,1)");
}

TEST_F(Evaluate, NestingDoesNotMultiplyTheWorkOfBinding) {
  std::string between = "a BETWEEN 1 AND 9", chosen = "a";
  for (int i = 0; i < 40; ++i) {
    between = "(" + between + ") BETWEEN FALSE AND TRUE";
    chosen = "CASE " + chosen + " WHEN 1 THEN 2 WHEN 7 THEN 7 WHEN 3 THEN 4 END";
  }
  EXPECT_EQ(Of(between), "true");
  EXPECT_EQ(Of(chosen), "7");
}

TEST_F(Evaluate, Texts) {
  EXPECT_EQ(Of("UPPER(s) || LOWER('AB')"), "HELLOab");
  EXPECT_EQ(Of("INITCAP('the qUICK fox')"), "The Quick Fox");
  EXPECT_EQ(Of("CHAR_LENGTH('日本語')"), "3");
  EXPECT_EQ(Of("SUBSTRING('日本語です' FROM 2 FOR 2)"), "本語");
  EXPECT_EQ(Of("SUBSTRING(s FROM 0 FOR 3)"), "He");
  EXPECT_EQ(Of("SUBSTRING('abc123' FROM '[0-9]+')"), "123");
  EXPECT_EQ(Of("TRIM(LEADING 'x' FROM 'xxay')"), "ay");
  EXPECT_EQ(Of("TRIM('  a ')"), "a");
  EXPECT_EQ(Of("POSITION('l' IN s)"), "3");
  EXPECT_EQ(Of("OVERLAY('abcdef' PLACING 'XY' FROM 3)"), "abXYef");
  EXPECT_EQ(Of("s LIKE 'H%o'"), "true");
  EXPECT_EQ(Of("s LIKE 'H_o'"), "false");
  EXPECT_EQ(Of("'50%' LIKE '50!%' ESCAPE '!'"), "true");
  EXPECT_EQ(Of("s SIMILAR TO '(H|J)el{2}o'"), "true");
  EXPECT_EQ(Of("s NOT SIMILAR TO 'H%'"), "false");
  EXPECT_EQ(Of("REGEX_REPLACE('TestTest', 'Test', 'Easy', 1, 0)"), "EasyEasy");
  EXPECT_EQ(Of("REGEX_REPLACE('TestTest', 'Test', 'Easy', 1, 2)"), "TestEasy");
  EXPECT_EQ(Of("REGEX_REPLACE('a-b', '(a)-(b)', '$2-$1', 1, 0)"), "b-a");
  EXPECT_EQ(Of("REGEX_REPLACE('x', '(', 'y', 1, 0)"), "!InvalidRegex");
  EXPECT_EQ(Of("LPAD('7', 3, '0')"), "007");
  EXPECT_EQ(Of("IP_MASK('192.168.17.5', 20)"), "192.168.16.0");
  EXPECT_EQ(Of("GEOHASH(57.64911, 10.40744, 11)"), "u4pruydqqvj");
  EXPECT_EQ(Of("user_id || USER_ID"), "u1u1");  // unquoted names match in any case if only one does
}

TEST_F(Evaluate, RegularExpressionsTakeLinearTime) {
  const std::string text(5000, 'a');
  EXPECT_EQ(Of("REGEXP_LIKE('" + text + "', '^(a|a)*(a+)+b$')"), "false");
  EXPECT_EQ(Of("REGEXP_EXTRACT('k=v; k2=v2', '(\\w+)=(\\w+)', 2)"), "v");
  EXPECT_EQ(Of("REGEXP_EXTRACT('abc', 'a(x)?')"), "NULL");
  EXPECT_EQ(Of("REGEXP_EXTRACT('aXbX', '(.*?)X', 1)"), "a");
  EXPECT_EQ(Of("REGEXP_LIKE('foo bar', '\\bbar\\b')"), "true");
  EXPECT_EQ(Of("REGEXP_LIKE('FOO', '(?i)foo')"), "true");
  EXPECT_EQ(Of("REGEXP_EXTRACT('aaaa', 'a{2,3}', 0)"), "aaa");
}

TEST_F(Evaluate, Times) {
  EXPECT_EQ(Of("t"), "2026-11-21 10:20:30.456");
  EXPECT_EQ(Of("FLOOR(t TO MINUTE)"), "2026-11-21 10:20:00.000");
  EXPECT_EQ(Of("CEIL(t TO HOUR)"), "2026-11-21 11:00:00.000");
  EXPECT_EQ(Of("FLOOR(t TO WEEK)"), "2026-11-16 00:00:00.000");
  EXPECT_EQ(Of("FLOOR(t TO QUARTER)"), "2026-10-01 00:00:00.000");
  EXPECT_EQ(Of("FLOOR(TIMESTAMP '1969-12-31 23:59:59' TO DAY)"), "1969-12-31 00:00:00.000");
  EXPECT_EQ(Of("STEP(t BY INTERVAL '15' SECOND)"), "2026-11-21 10:20:30.000");
  EXPECT_EQ(Of("STEP(TIMESTAMP '1969-12-31 23:59:59' BY INTERVAL '1' MINUTE)"), "1969-12-31 23:59:00.000");
  EXPECT_EQ(Of("EXTRACT(HOUR FROM t)"), "10");
  EXPECT_EQ(Of("EXTRACT(DOW FROM t)"), "7");
  EXPECT_EQ(Of("EXTRACT(DOY FROM TIMESTAMP '2024-12-31 00:00:00')"), "366");
  EXPECT_EQ(Of("EXTRACT(WEEK FROM TIMESTAMP '2021-01-03 00:00:00')"), "53");
  EXPECT_EQ(Of("t + INTERVAL '1' DAY - INTERVAL '30' SECOND"), "2026-11-22 10:20:00.456");
  EXPECT_EQ(Of("TIMESTAMP '2024-01-31 00:00:00' + INTERVAL '1' MONTH"), "2024-02-29 00:00:00.000");
  EXPECT_EQ(Of("(t - TIMESTAMP '2026-11-21 10:00:00') MINUTE"), "20");
  EXPECT_EQ(Of("TSDIFF(TIMESTAMP '2026-11-21 10:00:00', t)"), "1230456");
  EXPECT_EQ(Of("TSDIFF(NULL, t)"), "NULL");
  EXPECT_EQ(Of("UNIX_TIMESTAMP(t)"), "1795256430456");
  EXPECT_EQ(Of("TO_TIMESTAMP(0)"), "1970-01-01 00:00:00.000");
  EXPECT_EQ(Of("CHAR_TO_TIMESTAMP('dd/MMM/yyyy:HH:mm:ss Z', '21/Nov/2026:19:20:30 +0900')"),
            "2026-11-21 10:20:30.000");
  EXPECT_EQ(Of("CHAR_TO_TIMESTAMP('yyyyMMddHHmmss', '20261121102030')"), "2026-11-21 10:20:30.000");
  EXPECT_EQ(Of("CHAR_TO_TIMESTAMP('yyyy-MM-dd', '2026-02-31')"), "!InvalidCast");
  EXPECT_EQ(Of("TIMESTAMP_TO_CHAR('EEE, d MMM yyyy hh:mm a', t)"), "Sat, 21 Nov 2026 10:20 AM");
  EXPECT_EQ(Of("CURRENT_TIMESTAMP"), "1970-01-01 00:00:01.000");
  EXPECT_EQ(Of("ROWTIME"), "2026-11-21 10:20:30.456");
  EXPECT_EQ(Of("t > '2026-11-21T10:00:00Z'"), "true");
}

TEST_F(Evaluate, Casts) {
  EXPECT_EQ(Of("CAST('12' AS INTEGER)"), "12");
  EXPECT_EQ(Of("CAST('1e3' AS BIGINT)"), "1000");
  EXPECT_EQ(Of("CAST('x' AS INTEGER)"), "!InvalidCast");
  EXPECT_EQ(Of("TRY_CAST('x' AS INTEGER)"), "NULL");
  EXPECT_EQ(Of("CAST(300 AS TINYINT)"), "!NumericOverflow");
  EXPECT_EQ(Of("CAST(2.567 AS DECIMAL(10,2))"), "2.57");
  EXPECT_EQ(Of("CAST('-0.125' AS DECIMAL(10,2))"), "-0.13");
  EXPECT_EQ(Of("CAST(d AS INTEGER)"), "2");
  EXPECT_EQ(Of("CAST(a AS VARCHAR(10))"), "7");
  EXPECT_EQ(Of("CAST('abcdef' AS VARCHAR(3))"), "abc");
  EXPECT_EQ(Of("CAST('2026-11-21' AS DATE)"), "2026-11-21");
  EXPECT_EQ(Of("CAST(t AS DATE)"), "2026-11-21");
  EXPECT_EQ(Of("CAST('true' AS BOOLEAN)"), "true");
  EXPECT_EQ(Of("a::varchar || 'x'"), "7x");
}

TEST_F(Evaluate, Json) {
  EXPECT_EQ(Of("j['k'] || '!'"), "v!");
  EXPECT_EQ(Of("j['n'] + 1"), "6");
  EXPECT_EQ(Of("j['n'] = 5"), "true");
  EXPECT_EQ(Of("j['k'] = 'v'"), "true");
  EXPECT_EQ(Of("j['nil'] IS NULL"), "true");
  EXPECT_EQ(Of("j->'deep'->'x y'->>3"), "z");
  EXPECT_EQ(Of("j.\"k\""), "v");
  EXPECT_EQ(Of("JSON_VALUE(j, '$.deep[''x y''][1]')"), "2.5");
  EXPECT_EQ(Of("JSON_EXISTS(j, '$.deep.y')"), "false");
  EXPECT_EQ(Of("JSON_VALUE(j, '$.deep')"), "NULL");
  EXPECT_EQ(Of("JSON_QUERY(j, '$.deep')"), R"({"x y":[1,2.5,"z"]})");
  EXPECT_EQ(Of("JSON_VALUE(j, 'a..b')"), "!InvalidArgument");
}

TEST_F(Evaluate, LogParsers) {
  const std::string line =
      R"('192.168.254.30 - John [24/May/2004:22:01:02 -0700] "GET /icons/apache_pb.gif HTTP/1.1" 304 0')";
  EXPECT_EQ(Of("W3C_LOG_PARSE(" + line + ", 'COMMON')['COLUMN5']"), "GET /icons/apache_pb.gif HTTP/1.1");
  EXPECT_EQ(Of("VARIABLE_COLUMN_LOG_PARSE('1,\"x,y\",3', 'A TYPE VARCHAR(16), \"b\" TYPE VARCHAR(4), C TYPE "
               "INTEGER', ',')"),
            R"({"A":"1","b":"x,y","C":"3"})");
  EXPECT_EQ(Of("REGEX_LOG_PARSE('k=v', '(\\w+)=(\\w+)', 'key TYPE VARCHAR(9), val TYPE VARCHAR(9)')['VAL']"),
            "v");
  EXPECT_EQ(Of("FIXED_COLUMN_LOG_PARSE('abcdef', 'A TYPE VARCHAR(2) START 1 FOR 2, B TYPE VARCHAR(3) START 4 "
               "FOR 3')"),
            R"({"A":"ab","B":"def"})");
}

TEST_F(Evaluate, ErrorsPointAndSuggest) {
  EXPECT_EQ(Of("a + usr_id"),
            "line 1, column 5: unknown column 'usr_id'; did you mean 'user_id'?\n  a + usr_id\n      ^");
  EXPECT_EQ(Of("UPER(s)"), "line 1, column 1: unknown function 'UPER'; did you mean UPPER?\n  UPER(s)\n  ^");
  EXPECT_EQ(Of("s + 1"), "line 1, column 3: + needs numbers, found VARCHAR\n  s + 1\n    ^");
  EXPECT_EQ(Of("s = 1").substr(0, 51), "line 1, column 3: cannot compare VARCHAR with BIGIN");
  EXPECT_EQ(Of("NOT a").substr(0, 62), "line 1, column 5: expected a condition, found a value of type ");
  EXPECT_EQ(Of("UPPER()").substr(0, 46), "line 1, column 1: UPPER needs more arguments\n ");
  EXPECT_EQ(Of("COUNT(*)").substr(0, 61), "line 1, column 1: the aggregate COUNT may not stand here\n  CO");
}

}  // namespace
}  // namespace honryu::sql
