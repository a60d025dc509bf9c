#include "search/aggs/expression.h"

#include "honryu/search/api_error.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace honryu::search {

struct Expression::Node {
  enum class Kind : std::uint8_t { kNumber, kParam, kCall };
  Kind kind = Kind::kNumber;
  double number = 0;
  std::string name;  ///< Of a parameter; of what is called: "+", "Math.max", "?:".
  std::vector<std::unique_ptr<Node>> inner;
};

namespace {

using Node = Expression::Node;
using NodePtr = std::unique_ptr<Node>;

constexpr std::size_t kMaxDepth = 100;

/// Operators by how tightly they bind, loosest first.
constexpr std::array<std::array<std::string_view, 4>, 6> kLevels = {
    {{"||"}, {"&&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<NodePtr> Whole() {
    HONRYU_TRY(auto node, Choice(kMaxDepth));
    Blanks();
    if (at_ < text_.size() && text_[at_] == ';') ++at_;
    Blanks();
    if (at_ != text_.size()) return Fail();
    return node;
  }

 private:
  Error Fail() const {
    return IllegalArgument("compile error: the script is not understood at character " + std::to_string(at_) +
                           ": only arithmetic and comparisons of params are");
  }
  void Blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  bool Take(std::string_view token) {
    Blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  static NodePtr Call(std::string name, NodePtr a, NodePtr b = nullptr, NodePtr c = nullptr) {
    auto node = std::make_unique<Node>();
    node->kind = Node::Kind::kCall;
    node->name = std::move(name);
    node->inner.push_back(std::move(a));
    if (b != nullptr) node->inner.push_back(std::move(b));
    if (c != nullptr) node->inner.push_back(std::move(c));
    return node;
  }

  Result<NodePtr> Choice(std::size_t depth) {
    if (depth == 0) return Fail();
    HONRYU_TRY(auto condition, Level(0, depth));
    if (!Take("?")) return condition;
    HONRYU_TRY(auto yes, Choice(depth - 1));
    if (!Take(":")) return Fail();
    HONRYU_TRY(auto no, Choice(depth - 1));
    return Call("?:", std::move(condition), std::move(yes), std::move(no));
  }

  Result<NodePtr> Level(std::size_t level, std::size_t depth) {
    if (level == kLevels.size()) return Unary(depth);
    HONRYU_TRY(auto left, Level(level + 1, depth));
    for (;;) {
      std::string_view taken;
      for (const auto op : kLevels[level])
        if (taken.empty() && !op.empty() && Take(op)) taken = op;
      if (taken.empty()) return left;
      HONRYU_TRY(auto right, Level(level + 1, depth));
      left = Call(std::string(taken), std::move(left), std::move(right));
    }
  }

  Result<NodePtr> Unary(std::size_t depth) {
    if (depth == 0) return Fail();
    if (Take("-")) {
      HONRYU_TRY(auto inner, Unary(depth - 1));
      return Call("neg", std::move(inner));
    }
    if (Take("+")) return Unary(depth - 1);
    if (Take("!")) {
      HONRYU_TRY(auto inner, Unary(depth - 1));
      return Call("!", std::move(inner));
    }
    if (Take("(")) {
      HONRYU_TRY(auto inner, Choice(depth - 1));
      if (!Take(")")) return Fail();
      return inner;
    }
    return Operand(depth);
  }

  static bool NameChar(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  std::string Name() {
    Blanks();
    const auto begin = at_;
    while (at_ < text_.size() && NameChar(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<NodePtr> Operand(std::size_t depth) {
    Blanks();
    auto node = std::make_unique<Node>();
    const auto rest = text_.substr(at_);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), node->number);
    if (error == std::errc()) {
      at_ += static_cast<std::size_t>(end - rest.data());
      return node;
    }
    const auto name = Name();
    if (name == "params" && Take(".")) {
      node->kind = Node::Kind::kParam;
      node->name = Name();
      return node->name.empty() ? Result<NodePtr>(Fail()) : Result<NodePtr>(std::move(node));
    }
    if (name == "params" && (Take("['") || Take("[\""))) {
      const auto close = text_.find_first_of("'\"", at_);
      if (close == std::string_view::npos) return Fail();
      node->kind = Node::Kind::kParam;
      node->name = text_.substr(at_, close - at_);
      at_ = close + 1;
      if (!Take("]")) return Fail();
      return node;
    }
    if (name != "Math" || !Take(".")) return Fail();
    node->kind = Node::Kind::kCall;
    node->name = "Math." + Name();
    if (!Take("(")) return Fail();
    do {
      HONRYU_TRY(auto argument, Choice(depth - 1));
      node->inner.push_back(std::move(argument));
    } while (Take(","));
    if (!Take(")")) return Fail();
    const std::size_t wanted =
        node->name == "Math.max" || node->name == "Math.min" || node->name == "Math.pow" ? 2 : 1;
    constexpr std::array<std::string_view, 10> kKnown = {"Math.abs",   "Math.ceil", "Math.floor", "Math.log",
                                                         "Math.log10", "Math.max",  "Math.min",   "Math.pow",
                                                         "Math.round", "Math.sqrt"};
    bool known = false;
    for (const auto function : kKnown) known = known || function == node->name;
    if (!known || node->inner.size() != wanted) return Fail();
    return node;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

double Compute(const Node& node, const std::map<std::string, double, std::less<>>& params) {
  if (node.kind == Node::Kind::kNumber) return node.number;
  if (node.kind == Node::Kind::kParam) {
    const auto found = params.find(node.name);
    return found != params.end() ? found->second : std::numeric_limits<double>::quiet_NaN();
  }
  const double a = Compute(*node.inner[0], params);
  const std::string_view name = node.name;
  if (name == "?:") return Compute(*node.inner[a != 0 ? 1 : 2], params);
  if (name == "&&") return a != 0 && Compute(*node.inner[1], params) != 0 ? 1 : 0;
  if (name == "||") return a != 0 || Compute(*node.inner[1], params) != 0 ? 1 : 0;
  const double b = node.inner.size() > 1 ? Compute(*node.inner[1], params) : 0;
  if (name == "neg") return -a;
  if (name == "!") return a == 0 ? 1 : 0;
  if (name == "+") return a + b;
  if (name == "-") return a - b;
  if (name == "*") return a * b;
  if (name == "/") return a / b;
  if (name == "%") return std::fmod(a, b);
  if (name == "==") return a == b ? 1 : 0;
  if (name == "!=") return a != b ? 1 : 0;
  if (name == "<=") return a <= b ? 1 : 0;
  if (name == ">=") return a >= b ? 1 : 0;
  if (name == "<") return a < b ? 1 : 0;
  if (name == ">") return a > b ? 1 : 0;
  if (name == "Math.abs") return std::abs(a);
  if (name == "Math.ceil") return std::ceil(a);
  if (name == "Math.floor") return std::floor(a);
  if (name == "Math.log") return std::log(a);
  if (name == "Math.log10") return std::log10(a);
  if (name == "Math.max") return std::max(a, b);
  if (name == "Math.min") return std::min(a, b);
  if (name == "Math.pow") return std::pow(a, b);
  if (name == "Math.round") return std::floor(a + 0.5);
  return std::sqrt(a);
}

}  // namespace

Expression::Expression(std::unique_ptr<Node> root) : root_(std::move(root)) {}
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;
Expression::~Expression() = default;

Result<Expression> Expression::Parse(std::string_view script) {
  HONRYU_TRY(auto root, Parser(script).Whole());
  return Expression(std::move(root));
}

double Expression::Evaluate(const std::map<std::string, double, std::less<>>& params) const {
  return Compute(*root_, params);
}

}  // namespace honryu::search
