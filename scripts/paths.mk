# Included by each Makefile before all else: refuses paths that a shell, make or
# nginx's configure would take for several or for something else.  What make
# would do to "$" in a value has not been done yet.

paths-blank   := $(subst x,,x x)
paths-tab     := $(subst x,,x	x)
paths-hash    := \#
paths-odd     := " ' ` $$ \ & | ; < > ( ) { } [ ] * ? ! $(paths-hash) % : ,

define paths-newline :=


endef

paths-found    = $(or $(findstring $(paths-blank),$1),                        \
                      $(findstring $(paths-tab),$1),                          \
                      $(findstring $(paths-newline),$1),                      \
                      $(strip $(foreach c,$(paths-odd),$(findstring $c,$1))))

paths-refuse   = $(if $(call paths-found,$1),$(error the path "$1" has a      \
                 blank, a quote or another character in it that nginx's       \
                 configure and make cannot cope with: use a path without it))

$(call paths-refuse,$(value CURDIR))
$(call paths-refuse,$(value BUILD))
$(call paths-refuse,$(value NGINX_SRC))
