#include "harness/report/page.h"

#include "harness/report/page_template.h"

namespace loratune {
std::string script_text(const nlohmann::json& value) {
  const std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string make_page(const nlohmann::json& data) {
  std::string page(kPageBefore, sizeof kPageBefore - 1);
  page += script_text(data);
  page.append(kPageBehind, sizeof kPageBehind - 1);
  return page;
}

}  // namespace loratune
