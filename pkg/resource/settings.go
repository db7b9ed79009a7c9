package resource

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// mavenSettings is what counts here of Maven's settings.xml.
type mavenSettings struct {
	LocalRepository string          `xml:"localRepository"`
	Offline         string          `xml:"offline"`
	Proxies         []settingsProxy `xml:"proxies>proxy"`
	Servers         []struct {
		ID       string `xml:"id"`
		Username string `xml:"username"`
		Password string `xml:"password"`
		Headers  []struct {
			Name  string `xml:"name"`
			Value string `xml:"value"`
		} `xml:"configuration>httpHeaders>property"`
	} `xml:"servers>server"`
	Mirrors        []mirror          `xml:"mirrors>mirror"`
	Profiles       []settingsProfile `xml:"profiles>profile"`
	ActiveProfiles []string          `xml:"activeProfiles>activeProfile"`
}

type settingsProxy struct {
	ID            string `xml:"id"`
	Active        string `xml:"active"` // true unless given
	Protocol      string `xml:"protocol"`
	Username      string `xml:"username"`
	Password      string `xml:"password"`
	Host          string `xml:"host"`
	Port          int    `xml:"port"`
	NonProxyHosts string `xml:"nonProxyHosts"`
}

type settingsProfile struct {
	ID         string `xml:"id"`
	Activation struct {
		ActiveByDefault string `xml:"activeByDefault"`
		Property        *struct {
			Name  string `xml:"name"`
			Value string `xml:"value"`
		} `xml:"property"`
	} `xml:"activation"`
	Repositories []struct {
		ID        string         `xml:"id"`
		URL       string         `xml:"url"`
		Releases  settingsPolicy `xml:"releases"`
		Snapshots settingsPolicy `xml:"snapshots"`
	} `xml:"repositories>repository"`
	Properties settingsProperties `xml:"properties"`
}

type settingsPolicy struct {
	Enabled        string `xml:"enabled"`
	UpdatePolicy   string `xml:"updatePolicy"`
	ChecksumPolicy string `xml:"checksumPolicy"`
}

// policy is Maven's own where the settings do not say.
func (s settingsPolicy) policy() Policy {
	p := Policy{Enabled: s.Enabled != "false", Update: s.UpdatePolicy, Checksum: s.ChecksumPolicy}
	if p.Update == "" {
		p.Update = UpdateDaily
	}
	if p.Checksum == "" {
		p.Checksum = ChecksumWarn
	}
	return p
}

// settingsProperties are elements whose names are those of properties.
type settingsProperties map[string]string

// UnmarshalXML reads one element for each property.
func (p *settingsProperties) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	*p = settingsProperties{}
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			var value string
			if err := d.DecodeElement(&value, &token); err != nil {
				return err
			}
			(*p)[token.Name.Local] = value
		case xml.EndElement:
			return nil
		}
	}
}

// surroundings is what Maven looks at beside its settings.
type surroundings struct {
	environ map[string]string
	home    string // of the user; may be empty
}

func newSurroundings(environ []string) surroundings {
	s := surroundings{environ: map[string]string{}}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok {
			s.environ[name] = value
		}
	}
	s.home = s.environ["HOME"]
	if s.home == "" {
		s.home = s.environ["USERPROFILE"]
	}
	return s
}

// userSettings is ~/.m2/settings.xml; empty without a home.
func (s surroundings) userSettings() string {
	if s.home == "" {
		return ""
	}
	return filepath.Join(s.home, ".m2", "settings.xml")
}

// globalSettings is conf/settings.xml of the installed Maven: of MAVEN_HOME, M2_HOME or the mvn in the path; empty
// without one.
func (s surroundings) globalSettings() string {
	for _, name := range []string{"MAVEN_HOME", "M2_HOME"} {
		if home := s.environ[name]; home != "" {
			return filepath.Join(home, "conf", "settings.xml")
		}
	}
	for _, folder := range filepath.SplitList(s.environ["PATH"]) {
		mvn, err := exec.LookPath(filepath.Join(folder, "mvn"))
		if err != nil || !filepath.IsAbs(mvn) {
			continue
		}
		if mvn, err = filepath.EvalSymlinks(mvn); err == nil {
			return filepath.Join(filepath.Dir(filepath.Dir(mvn)), "conf", "settings.xml")
		}
	}
	return ""
}

// readSettings reads settings files, of which the first counts most, as Maven does: a file that is not there is none.
func (s surroundings) readSettings(files ...string) (mavenSettings, error) {
	var all mavenSettings
	for _, file := range files {
		if file == "" {
			continue
		}
		text, err := readBounded(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return all, skipper.Errorf(skipper.CodeInvalid, "the Maven settings in %s cannot be read: %w", file, err)
		}
		one, err := s.parseSettings(text)
		if err != nil {
			return all, skipper.Errorf(skipper.CodeInvalid, "the Maven settings in %s cannot be read: %w", file, err)
		}
		all.add(one)
	}
	return all, nil
}

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSmallFile {
		return nil, errTooLarge
	}
	return os.ReadFile(file)
}

// add takes over what is not set yet; of two entries with one id the first counts.
func (m *mavenSettings) add(o mavenSettings) {
	if m.LocalRepository == "" {
		m.LocalRepository = o.LocalRepository
	}
	if m.Offline == "" {
		m.Offline = o.Offline
	}
	for _, p := range o.Proxies {
		if !slices.ContainsFunc(m.Proxies, func(q settingsProxy) bool { return q.ID == p.ID }) {
			m.Proxies = append(m.Proxies, p)
		}
	}
	m.Servers = append(m.Servers, o.Servers...) // the first of an id is found first
	for _, x := range o.Mirrors {
		if !slices.ContainsFunc(m.Mirrors, func(y mirror) bool { return y.ID == x.ID }) {
			m.Mirrors = append(m.Mirrors, x)
		}
	}
	for _, p := range o.Profiles {
		if !slices.ContainsFunc(m.Profiles, func(q settingsProfile) bool { return q.ID == p.ID }) {
			m.Profiles = append(m.Profiles, p)
		}
	}
	m.ActiveProfiles = append(m.ActiveProfiles, o.ActiveProfiles...)
}

// parseSettings reads one file; ${env.NAME} and ${user.home} are replaced, and in a profile its own properties.
func (s surroundings) parseSettings(text []byte) (mavenSettings, error) {
	var m mavenSettings
	if err := decodeXML(text, &m); err != nil {
		return m, err
	}
	var known map[string]string
	fill := func(texts ...*string) {
		for _, t := range texts {
			*t = s.interpolate(strings.TrimSpace(*t), known)
		}
	}
	fill(&m.LocalRepository, &m.Offline)
	for i := range m.Proxies {
		p := &m.Proxies[i]
		fill(&p.ID, &p.Active, &p.Protocol, &p.Username, &p.Password, &p.Host, &p.NonProxyHosts)
	}
	for i := range m.Servers {
		v := &m.Servers[i]
		fill(&v.ID, &v.Username, &v.Password)
		for j := range v.Headers {
			fill(&v.Headers[j].Name, &v.Headers[j].Value)
		}
	}
	for i := range m.Mirrors {
		v := &m.Mirrors[i]
		fill(&v.ID, &v.Of, &v.URL, &v.Blocked)
	}
	for i := range m.ActiveProfiles {
		fill(&m.ActiveProfiles[i])
	}
	for i := range m.Profiles {
		known = m.Profiles[i].Properties
		fill(&m.Profiles[i].ID)
		for j := range m.Profiles[i].Repositories {
			v := &m.Profiles[i].Repositories[j]
			fill(&v.ID, &v.URL, &v.Releases.Enabled, &v.Releases.UpdatePolicy, &v.Releases.ChecksumPolicy,
				&v.Snapshots.Enabled, &v.Snapshots.UpdatePolicy, &v.Snapshots.ChecksumPolicy)
		}
	}
	return m, nil
}

var placeholder = regexp.MustCompile(`\$\{([^${}]+)\}`)

// interpolate replaces what is known once; values are not looked at again.
func (s surroundings) interpolate(text string, known map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		if variable, ok := strings.CutPrefix(name, "env."); ok {
			if value, set := s.environ[variable]; set {
				return value
			}
		}
		if name == "user.home" && s.home != "" {
			return s.home
		}
		if value, ok := known[name]; ok {
			return value
		}
		return found
	})
}

// active gives the profiles that are in force: those that are named, those whose property is set, and when there is no
// other, those that are active by default. What activates by JDK, system or file concerns builds and is not looked at.
func (m *mavenSettings) active() []settingsProfile {
	var named, byDefault []settingsProfile
	for _, p := range m.Profiles {
		property := p.Activation.Property
		switch {
		case slices.Contains(m.ActiveProfiles, p.ID),
			property != nil && strings.HasPrefix(property.Name, "!") && property.Value == "": // no property is set here
			named = append(named, p)
		case strings.TrimSpace(p.Activation.ActiveByDefault) == "true":
			byDefault = append(byDefault, p)
		}
	}
	if len(named) > 0 {
		return named
	}
	return byDefault
}

// masterPhrase is the phrase that Maven encrypts its master password with.
const masterPhrase = "settings.security"

var encrypted = regexp.MustCompile(`\{([^{}]+)\}`)

// decrypt gives a password as it is, or as `mvn --encrypt-password` has hidden it behind the master password of
// ~/.m2/settings-security.xml.
func (s surroundings) decrypt(password string) (string, error) {
	found := encrypted.FindStringSubmatch(password)
	if found == nil || strings.Contains(password, "${") {
		return password, nil
	}
	if s.home == "" {
		return "", errors.New("it is encrypted, and there is no home folder with .m2/settings-security.xml")
	}
	file := filepath.Join(s.home, ".m2", "settings-security.xml")
	text, err := readBounded(file)
	if err != nil {
		return "", fmt.Errorf("it is encrypted, and the master password cannot be read: %w", err)
	}
	var security struct {
		Master     string `xml:"master"`
		Relocation string `xml:"relocation"`
	}
	if err := decodeXML(text, &security); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", file, err)
	}
	if security.Relocation != "" {
		return "", fmt.Errorf("%s points to another file, which is not followed", file)
	}
	hidden := encrypted.FindStringSubmatch(security.Master)
	if hidden == nil {
		return "", fmt.Errorf("%s has no master password", file)
	}
	master, err := unhide(hidden[1], masterPhrase)
	if err != nil {
		return "", fmt.Errorf("the master password in %s: %w", file, err)
	}
	return unhide(found[1], master)
}

// unhide undoes what Maven's plexus-cipher does: base64 of 8 bytes of salt, the length of the padding, and AES-128-CBC
// under a key and a start vector that are made of the phrase and the salt with SHA-256.
func unhide(text, phrase string) (string, error) {
	wrong := errors.New("it is not encrypted with this master password")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 9 {
		return "", wrong
	}
	salt, padding, body := raw[:8], int(raw[8]), raw[9:]
	if padding > len(body) || len(body)-padding == 0 || (len(body)-padding)%aes.BlockSize != 0 {
		return "", wrong
	}
	body = body[:len(body)-padding]
	sum := sha256.Sum256(append([]byte(phrase), salt...))
	block, err := aes.NewCipher(sum[:16])
	if err != nil {
		return "", err
	}
	plain := make([]byte, len(body))
	cipher.NewCBCDecrypter(block, sum[16:]).CryptBlocks(plain, body)
	last := int(plain[len(plain)-1])
	if last < 1 || last > aes.BlockSize {
		return "", wrong
	}
	return string(plain[:len(plain)-last]), nil
}
