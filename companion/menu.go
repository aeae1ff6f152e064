package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
)

// menu answers korproxy/menu.
func (s *Session) menu(_ context.Context, params json.RawMessage) (any, error) {
	var p lsp.MenuParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, bad(err)
	}
	return s.menuOf(p.ID)
}

func (s *Session) menuOf(id string) (*lsp.Menu, error) {
	v := s.seen()
	kind, what, _ := strings.Cut(id, ":")
	var m *lsp.Menu
	switch kind {
	case "", "main":
		m, id = mainMenu(v, s.concerning(v.Problems)), "main"
	case "profiles":
		m = profileMenu(v)
	case "models":
		m = modelMenu(v)
	case "accounts":
		m = accountMenu(v)
	case "signIn":
		m = signInMenu(v, what)
	case "problems":
		m = problemsMenu(s.concerning(v.Problems))
	case "problem":
		m = problemMenu(s.concerning(v.Problems), what)
	}
	if m == nil {
		return nil, fault.New(fault.InvalidField, "there is no menu %q", id)
	}
	m.ID = id
	if m.Items == nil {
		m.Items = []lsp.MenuItem{}
	}
	return m, nil
}

func run(id string, args ...any) *lsp.Command {
	c := &lsp.Command{Command: id, Arguments: args}
	for _, k := range lsp.Commands() {
		if k.ID == id {
			c.Title = k.Title
		}
	}
	return c
}

func mainMenu(v *View, problems []health.Condition) *lsp.Menu {
	m := &lsp.Menu{Title: "KorProxy", Placeholder: "What would you like to do?"}
	for i, c := range problems {
		if i == 3 {
			m.Items = append(m.Items, lsp.MenuItem{Label: fmt.Sprintf("All %d problems", len(problems)), Icon: lsp.IconWarning, Menu: "problems"})
			break
		}
		m.Items = append(m.Items, problemItem(c))
	}
	model := v.Model
	if model == "" {
		model = "as the profile says"
	}
	safe := "off"
	if v.SafeMode {
		safe = "on: " + v.SafeWhy
	}
	m.Items = append(m.Items,
		lsp.MenuItem{Label: "Switch profile", Description: v.Profile + decidedBy(v), Icon: lsp.IconProfile, Menu: "profiles"},
		lsp.MenuItem{Label: "Switch model", Description: model, Icon: lsp.IconModel, Menu: "models"},
		lsp.MenuItem{Label: "Switch account", Description: accountCount(v), Icon: lsp.IconAccount, Menu: "accounts"},
		lsp.MenuItem{Label: "Sign in or add a key", Icon: lsp.IconKey, Menu: "signIn"},
		lsp.MenuItem{Label: "Test accounts", Icon: lsp.IconTest, Command: run(lsp.CmdTest)},
		lsp.MenuItem{Label: "Usage", Icon: lsp.IconUsage, Command: run(lsp.CmdUsage)},
		lsp.MenuItem{Label: "Log", Icon: lsp.IconLog, Command: run(lsp.CmdLogs)},
		lsp.MenuItem{Label: "Doctor", Description: "find what is wrong", Icon: lsp.IconDoctor, Command: run(lsp.CmdDoctor)},
		lsp.MenuItem{Label: "Safe mode", Description: safe, Icon: lsp.IconSafe, Checked: v.SafeMode, Command: run(lsp.CmdSafeMode, !v.SafeMode)},
		lsp.MenuItem{Label: "Open configuration", Description: tilde(v.ConfigFile), Icon: lsp.IconConfig, Command: run(lsp.CmdConfig)},
		lsp.MenuItem{Label: "Restart KorProxy", Description: v.Version, Icon: lsp.IconRestart, Command: run(lsp.CmdRestart)},
	)
	return m
}

func accountCount(v *View) string {
	switch len(v.Accounts) {
	case 0:
		return "none is connected"
	case 1:
		return v.Accounts[0].Label()
	}
	return fmt.Sprintf("%d accounts", len(v.Accounts))
}

func problemItem(c health.Condition) lsp.MenuItem {
	icon := map[health.Severity]lsp.Icon{health.Error: lsp.IconError, health.Warning: lsp.IconWarning, health.Info: lsp.IconOK}[c.Severity]
	if c.Limit {
		icon = lsp.IconLimit
	}
	return lsp.MenuItem{Label: c.Text, Description: string(c.Code), Detail: c.Fix, Icon: icon, Menu: "problem:" + string(c.Code) + ":" + c.Subject}
}

func problemsMenu(problems []health.Condition) *lsp.Menu {
	m := &lsp.Menu{Title: "Problems", Placeholder: "Choose one to see what can be done"}
	for _, c := range problems {
		m.Items = append(m.Items, problemItem(c))
	}
	if len(problems) == 0 {
		m.Items = append(m.Items, lsp.MenuItem{Label: "All is well", Icon: lsp.IconOK, Menu: "main"})
	}
	return m
}

// problemMenu is what can be done about one problem.
func problemMenu(problems []health.Condition, what string) *lsp.Menu {
	code, subject, _ := strings.Cut(what, ":")
	i := slices.IndexFunc(problems, func(c health.Condition) bool { return string(c.Code) == code && c.Subject == subject })
	if i < 0 {
		return problemsMenu(problems) // it is gone
	}
	c := problems[i]
	m := &lsp.Menu{Title: string(c.Code) + ": " + c.Title, Placeholder: c.Fix}
	for _, a := range c.Actions {
		m.Items = append(m.Items, lsp.MenuItem{Label: a.Title, Icon: lsp.IconOK, Command: &lsp.Command{Title: a.Title, Command: a.Command, Arguments: a.Args}})
	}
	m.Items = append(m.Items,
		lsp.MenuItem{Label: "What it means", Description: string(c.Code), Icon: lsp.IconDoctor, Command: run(lsp.CmdOpen, CodeLink(string(c.Code)), 0)},
		lsp.MenuItem{Label: "Dismiss", Description: "until it happens again", Icon: lsp.IconOff, Command: run(lsp.CmdDismiss, string(c.Code), c.Subject)},
	)
	return m
}

func profileMenu(v *View) *lsp.Menu {
	m := &lsp.Menu{Title: "Switch profile", Placeholder: "Requests go by it from now on"}
	for _, p := range v.Profiles {
		m.Items = append(m.Items, lsp.MenuItem{
			Label: p.Name, Description: p.Target, Detail: p.Spent, Icon: lsp.IconProfile, Checked: p.Name == v.Profile, Command: run(lsp.CmdProfile, p.Name),
		})
	}
	if v.ProfileBy == "user" {
		m.Items = append(m.Items, lsp.MenuItem{Label: "As configured", Icon: lsp.IconConfig, Command: run(lsp.CmdProfile, "")})
	}
	return m
}

func modelMenu(v *View) *lsp.Menu {
	m := &lsp.Menu{Title: "Switch model", Placeholder: "For requests that leave the model to KorProxy"}
	m.Items = append(m.Items, lsp.MenuItem{
		Label: "As the profile says", Icon: lsp.IconConfig, Checked: v.ModelBy != "user", Command: run(lsp.CmdModel, ""),
	})
	for _, a := range v.Aliases {
		m.Items = append(m.Items, lsp.MenuItem{Label: a.Name, Description: a.Target, Icon: lsp.IconModel, Command: run(lsp.CmdModel, a.Name)})
	}
	for _, g := range v.Groups {
		m.Items = append(m.Items, lsp.MenuItem{Label: g, Description: "group", Icon: lsp.IconModel, Checked: v.ModelBy == "user" && g == v.Model, Command: run(lsp.CmdModel, g)})
	}
	provider := ""
	for _, k := range v.Models {
		if k.Embedding {
			continue
		}
		if k.Provider != provider {
			provider = k.Provider
			m.Items = append(m.Items, lsp.MenuItem{Label: provider, Separator: true})
		}
		m.Items = append(m.Items, lsp.MenuItem{
			Label: k.ID, Description: ModelFacts(&k), Icon: lsp.IconModel, Checked: v.ModelBy == "user" && k.ID == v.Model, Command: run(lsp.CmdModel, k.ID),
		})
	}
	return m
}

func accountMenu(v *View) *lsp.Menu {
	m := &lsp.Menu{Title: "Switch account", Placeholder: "The first to be asked among its provider's"}
	provider := ""
	for _, a := range v.Accounts {
		if a.Provider != provider {
			provider = a.Provider
			m.Items = append(m.Items, lsp.MenuItem{Label: provider, Separator: true})
		}
		icon := lsp.IconAccount
		if a.State != "available" {
			icon = lsp.IconWarning
		}
		m.Items = append(m.Items, lsp.MenuItem{
			Label: a.Label(), Description: AccountFacts(&a), Detail: a.Message, Icon: icon, Checked: a.Default, Command: run(lsp.CmdAccount, a.Label()),
		})
	}
	m.Items = append(m.Items, lsp.MenuItem{Label: "Sign in or add a key", Icon: lsp.IconAdd, Menu: "signIn"})
	return m
}
