package deploy_test

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// object is the part of a Kubernetes object that is looked at.
type object struct {
	File     string `yaml:"-"`
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Replicas       int
		Selector       yaml.Node
		Template       podTemplate
		ScaleTargetRef struct{ Kind, Name string } `yaml:"scaleTargetRef"`
		PodSelector    selector                    `yaml:"podSelector"`
		Ports          []struct {
			TargetPort string `yaml:"targetPort"`
		}
	}
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type podTemplate struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
		SecurityContext              struct {
			RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
			SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
		} `yaml:"securityContext"`
		Containers []container
		Volumes    []struct {
			ConfigMap struct{ Name string } `yaml:"configMap"`
		}
	}
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports           []struct{ Name string }
	StartupProbe    *probe `yaml:"startupProbe"`
	LivenessProbe   *probe `yaml:"livenessProbe"`
	ReadinessProbe  *probe `yaml:"readinessProbe"`
	Resources       struct{ Limits map[string]string }
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// objects reads all manifests but the kustomizations.
func objects(t *testing.T) []object {
	t.Helper()
	var all []object
	err := filepath.WalkDir("kubernetes", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml" {
			return err
		}
		for dec := yaml.NewDecoder(strings.NewReader(read(t, "deploy/"+path))); ; {
			o := object{File: path}
			if err := dec.Decode(&o); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			all = append(all, o)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (o object) where() string { return o.File + ": " + o.Kind + " " + o.Metadata.Name }

// TestKubernetes checks commands, variables, probes and hardening.
func TestKubernetes(t *testing.T) {
	all := objects(t)
	for _, o := range all {
		for _, c := range o.Spec.Template.Spec.Containers {
			checkContainer(t, o.where(), c)
			if o.Kind == "Deployment" {
				checkProbes(t, o.where(), c)
			}
		}
		if len(o.Spec.Template.Spec.Containers) > 0 {
			checkPod(t, o)
		}
		checkRefers(t, o, all)
	}
}

func checkContainer(t *testing.T, where string, c container) {
	t.Helper()
	checkArgs(t, where, c.Args)
	var secret bool
	for _, e := range c.Env {
		checkEnv(t, where, c.Args[0], e.Name)
		secret = secret || e.Name == "FRESHET_DATABASE_URL" && e.ValueFrom.SecretKeyRef.Name != "" && e.Value == ""
	}
	s := c.SecurityContext
	if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("%s: container %s is not hardened", where, c.Name)
	}
	if c.Resources.Limits["memory"] == "" {
		t.Errorf("%s: container %s has no memory limit", where, c.Name)
	}
	if !secret {
		t.Errorf("%s: the database URL is not from a Secret", where)
	}
}

func checkProbes(t *testing.T, where string, c container) {
	t.Helper()
	for _, p := range []struct {
		name string
		*probe
		path string
	}{{"startup", c.StartupProbe, "/healthz"}, {"liveness", c.LivenessProbe, "/healthz"}, {"readiness", c.ReadinessProbe, "/readyz"}} {
		if p.probe == nil || p.HTTPGet.Path != p.path || p.HTTPGet.Port != "admin" {
			t.Errorf("%s: the %s probe does not ask for %s of the admin port", where, p.name, p.path)
		}
	}
	if !slices.ContainsFunc(c.Ports, func(p struct{ Name string }) bool { return p.Name == "admin" }) {
		t.Errorf("%s: no port is named admin", where)
	}
}

func checkPod(t *testing.T, o object) {
	t.Helper()
	pod := o.Spec.Template.Spec
	if !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("%s: the pod is not hardened", o.where())
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("%s: the pod gets a token for the cluster", o.where())
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap.Name != "freshet-model" {
			t.Errorf("%s: ConfigMap %q is not what the kustomization makes", o.where(), v.ConfigMap.Name)
		}
	}
}

// checkRefers checks that selectors select pods, and targets are there.
func checkRefers(t *testing.T, o object, all []object) {
	t.Helper()
	labels := o.Spec.PodSelector.MatchLabels
	switch o.Kind {
	case "Service":
		if err := o.Spec.Selector.Decode(&labels); err != nil {
			t.Errorf("%s: %v", o.where(), err)
		}
	case "Deployment", "PodDisruptionBudget":
		var s selector
		if err := o.Spec.Selector.Decode(&s); err != nil {
			t.Errorf("%s: %v", o.where(), err)
		}
		labels = s.MatchLabels
	case "NetworkPolicy":
	case "HorizontalPodAutoscaler":
		target := o.Spec.ScaleTargetRef
		if !slices.ContainsFunc(all, func(d object) bool {
			return d.Kind == target.Kind && d.Metadata.Name == target.Name && d.Spec.Replicas == 0
		}) {
			t.Errorf("%s: there is no %s %s that leaves its replicas to it", o.where(), target.Kind, target.Name)
		}
		return
	default:
		return
	}
	if len(labels) == 0 || !slices.ContainsFunc(all, func(d object) bool { return within(labels, d.Spec.Template.Metadata.Labels) }) {
		t.Errorf("%s: it selects no pod: %v", o.where(), labels)
	}
}

func within(some, all map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}

// TestKustomizations checks that what they name is there, and that the
// example's model file is the blog's.
func TestKustomizations(t *testing.T) {
	paths, err := filepath.Glob("kubernetes/*/kustomization.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		var k struct {
			Resources          []string
			ConfigMapGenerator []struct{ Files []string } `yaml:"configMapGenerator"`
		}
		if err := yaml.Unmarshal([]byte(read(t, "deploy/"+path)), &k); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		named := k.Resources
		for _, g := range k.ConfigMapGenerator {
			named = append(named, g.Files...)
		}
		for _, name := range named {
			if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), name)); err != nil || len(found) != 1 {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
	if read(t, "deploy/kubernetes/example/model.graphql") != read(t, "examples/blog/model.graphql") {
		t.Error("deploy/kubernetes/example/model.graphql is not examples/blog/model.graphql: copy it")
	}
}

// TestCompose checks services, settings of Postgres, and mounted files.
func TestCompose(t *testing.T) {
	var c struct {
		Services map[string]struct {
			Build       struct{ Context, Dockerfile string }
			Command     []string
			Environment map[string]string
			Volumes     []string
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		}
		Volumes map[string]any
	}
	const file = "deploy/compose/compose.yaml"
	if err := yaml.Unmarshal([]byte(read(t, file)), &c); err != nil {
		t.Fatal(err)
	}
	postgres := strings.Join(c.Services["postgres"].Command, " ")
	for _, setting := range []string{"wal_level=logical", "max_replication_slots=", "max_slot_wal_keep_size="} {
		if !strings.Contains(postgres, setting) {
			t.Errorf("%s: Postgres runs without %s", file, setting)
		}
	}
	for _, name := range []string{"migrate", "freshet"} {
		s := c.Services[name]
		checkArgs(t, file, s.Command)
		for env := range s.Environment {
			checkEnv(t, file, s.Command[0], env)
		}
		if s.Build.Context != "../.." || read(t, s.Build.Dockerfile) == "" || len(s.DependsOn) != 1 {
			t.Errorf("%s: service %s: build %v, depends on %v", file, name, s.Build, s.DependsOn)
		}
	}
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			if from, _, _ := strings.Cut(v, ":"); strings.HasPrefix(from, "../../") {
				read(t, strings.TrimPrefix(from, "../../"))
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: service %s: there is no volume %s", file, name, from)
			}
		}
	}
}
